-- The WHERE clause for the logs of syncs that ended long ago and are neither the last success of their type nor the sweep
-- that the sync refers to.
-- The caller provides the relation x, a row of sync_logs. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz
WHERE x.status <> 'in_progress' AND x.completed_at < $1
  AND (x.status <> 'completed'
       OR EXISTS (SELECT FROM sync_logs s
                  WHERE s.sync_type = x.sync_type AND s.status = 'completed' AND s.completed_at > x.completed_at))
  AND NOT EXISTS (SELECT FROM practiceq_state t WHERE t.sweep = x.id)
