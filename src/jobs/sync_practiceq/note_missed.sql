-- Notes on visits which complete sweep missed them; where several in a row did, the first of these.
-- $1 ids bigint[] · $2 the sweep, an id of sync_logs, bigint
UPDATE appointments a SET missed_sweep = $2
FROM (SELECT id FROM appointments WHERE id = ANY ($1) AND missed_sweep IS NULL AND deleted_at IS NULL
      ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) m
WHERE a.id = m.id
