-- A join and the WHERE clause for open rows `x` of the ledger whose visit is CANCELLED no more. Rows of a visit that is
-- gone stay as they are. The caller provides the relation x, rows of visit_cancellations. It begins with JOIN, so it
-- follows FROM; it ends inside the WHERE: continue with AND.
-- $1 visits of the rows, keys
JOIN appointments a ON a.id = ANY ($1) AND a.id::text = x.appointment_id
WHERE x.ended_at IS NULL AND a.status IS DISTINCT FROM 'CANCELLED'
