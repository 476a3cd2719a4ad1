-- The WHERE clause for notifications that were sent long ago. The first condition is there for the index.
-- The caller provides the relation x, a row of notifications. It ends inside the WHERE: continue with AND.
-- $4 the instant before which sent notifications are deleted timestamptz
WHERE x.created_at < $4 AND x.status = 'SENT' AND x.sent_at < $4
