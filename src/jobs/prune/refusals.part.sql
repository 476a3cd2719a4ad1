-- The WHERE clause for refused items whose next try came long ago: no run tries them any more.
-- The caller provides the relation x, a row of item_refusals. It ends inside the WHERE: continue with AND.
-- $2 the instant for skipped runs timestamptz
WHERE x.next_try_at < $2
