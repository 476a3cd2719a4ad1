-- Resolves a batch of alerts whose cause has ended. No person does it, so resolved_by stays NULL. Returns one row: the
-- count and the skipped ids.
-- $1 now timestamptz · $2 visits of the alerts, keys · $3 ids of alerts, keys · $4 run id uuid
-- $5 only alerts whose visit is of this facility, a key or NULL
WITH
-- The alerts. An alert that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT x.id, x.appointment_id, x.alert_type, x.visit_start, x.status
    FROM stage_alerts x WHERE x.id = ANY ($3) ORDER BY x.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT x.id FROM locked x
    {ended}
    AND (a.facility_id = $5 OR $5 IS NULL)
),
resolved AS (
    UPDATE stage_alerts x SET status = 'RESOLVED', resolved_at = $1, resolved_run_id = $4 FROM due
    WHERE x.id = due.id AND x.status IN ('ACTIVE', 'ACKNOWLEDGED')
    RETURNING x.id
)
SELECT (SELECT count(*) FROM resolved) AS resolved,
       {skipped_columns}
