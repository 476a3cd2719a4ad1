-- The WHERE clause for hours of doctors that ended long ago.
-- The caller provides the relation x, a row of schedule_versions. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz
WHERE x.ended_at < $1
