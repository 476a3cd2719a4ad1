-- Clears a batch of flags that no longer hold. Returns one row: the count and the skipped ids.
-- $1 to $5 are the parameters of the joins · $6 visits of the flags, keys · $7 ids of flags, keys
WITH
-- The flags. A flag that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT x.id, x.appointment_id, x.facility_id, x.doctor_id, x.visit_start, x.cleared_at
    FROM schedule_flags x WHERE x.id = ANY ($7) ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT x.id, ended.by FROM locked x
    {ended}
),
cleared AS (
    UPDATE schedule_flags x SET cleared_at = $1, cleared_by = due.by FROM due
    WHERE x.id = due.id AND x.cleared_at IS NULL
    RETURNING x.id
)
SELECT (SELECT count(*) FROM cleared) AS cleared,
       {skipped_columns}
