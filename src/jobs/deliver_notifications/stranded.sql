-- Returns the messages that runs which are gone have left under way: the lane is this run's, so all that another run
-- has marked. The caller provides the columns of a message.
-- $1 channel text; $2 the run uuid; $3 how many at most int8
SELECT {message}, n.sending_at, n.is_held
FROM notifications n
WHERE n.status = 'SENDING' AND n.channel = $1 AND n.sending_run IS DISTINCT FROM $2
ORDER BY n.id LIMIT $3
