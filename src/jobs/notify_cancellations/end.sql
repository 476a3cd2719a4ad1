-- Ends a batch of rows of the ledger whose visit is CANCELLED no more. Returns one row: the count and the skipped ids.
-- $1 visits of the rows, keys · $2 ids of rows, keys · $3 now timestamptz
-- $4 only visits of this facility, a key or NULL
WITH
-- The rows. A row that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT x.id, x.appointment_id, x.ended_at
    FROM visit_cancellations x WHERE x.id = ANY ($2) ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT x.id FROM locked x
    {ended}
    AND (a.facility_id = $4 OR $4 IS NULL)
),
ended AS (
    UPDATE visit_cancellations x SET ended_at = $3 FROM due
    WHERE x.id = due.id AND x.ended_at IS NULL
    RETURNING x.id
)
SELECT (SELECT count(*) FROM ended) AS ended,
       {skipped_columns}
