-- The WHERE clause for flags that were cleared long ago, of visits that are long over: a patient is told once of a visit.
-- The caller provides the relation x, a row of schedule_flags. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz
WHERE x.cleared_at < $1 AND x.visit_start < $1 AT TIME ZONE 'UTC'
