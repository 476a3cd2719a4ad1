-- Ends the messages of a backup that wait to be sent, if they are to be discarded; returns how many wait, or waited.
-- $1 whether they are discarded boolean · $2 actor text, the id of a user
WITH
waiting AS (
    SELECT n.id FROM notifications n WHERE n.status = 'PENDING' AND n.channel <> 'IN_APP'
    ORDER BY n.id
    FOR NO KEY UPDATE
),
ended AS (
    UPDATE notifications n
    SET status = 'EXPIRED', reason = 'RESTORED', settled_by = $2
    FROM waiting w
    WHERE $1 AND n.id = w.id
    RETURNING n.id
),
-- In the database of the backup it went on, and may have been sent: none is sent again by itself.
let_go AS (
    UPDATE notifications n SET is_held = false WHERE n.status = 'SENDING' AND n.channel <> 'IN_APP' AND n.is_held
)
SELECT (SELECT count(*) FROM waiting) AS waiting, (SELECT count(*) FROM ended) AS ended
