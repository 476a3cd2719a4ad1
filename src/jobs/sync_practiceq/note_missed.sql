-- Notes on visits which complete sweep missed them; where several in a row did, the first of these.
-- $1 external ids text[] · $2 the sweep, an id of sync_logs, bigint
UPDATE practiceq_visits v SET missed_sweep = $2
FROM (SELECT external_id FROM practiceq_visits
      WHERE external_id = ANY ($1) AND missed_sweep IS NULL AND deleted_at IS NULL
      ORDER BY external_id FOR NO KEY UPDATE SKIP LOCKED) m
WHERE v.external_id = m.external_id
