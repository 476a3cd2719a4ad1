-- Locks an unmatched appointment and, where that is open, the other open ones of its client, so that the sync does not
-- change them. A group visit, and one in conflict with itself, stands for no other.
-- $1 id bigint · $2 whether to lock the others boolean
SELECT u.id, u.external_id, u.client_id, u.reason, u.status, u.decided_by, u.content
FROM practiceq_unmatched u
JOIN practiceq_unmatched named ON named.id = $1
WHERE u.id = $1
   OR ($2 AND named.status = 'open' AND named.reason NOT IN ('GROUP', 'CONFLICT') AND u.client_id = named.client_id
       AND u.status = 'open' AND u.reason NOT IN ('GROUP', 'CONFLICT'))
ORDER BY u.id <> $1, u.id
FOR NO KEY UPDATE OF u
