-- The WHERE clause for what is kept of slots that were blocked for a leave, and are long over.
-- The caller provides the relation x, a row of blocked_slots. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz
WHERE x.ends_at < $1
