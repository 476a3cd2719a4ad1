-- Marks a batch of visits as deleted, and stages the notices to those who have to know. Returns one row of counts.
-- $1 ids bigint[] · $2 now timestamptz · $3 run id uuid · $4 when the account was asked timestamptz
WITH
locked AS MATERIALIZED (
    SELECT a.* FROM appointments a WHERE a.id = ANY ($1) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
-- A visit that was read after the account was asked stays.
due AS MATERIALIZED (
    SELECT id FROM locked WHERE deleted_at IS NULL AND coalesce(source_read_at <= $4, true)
),
deleted AS (
    UPDATE appointments a SET deleted_at = $4, updated_at = $2, missed_sweep = NULL FROM due WHERE a.id = due.id
),
changes AS MATERIALIZED (
    SELECT a.id, a.patient_id, f.time_zone AS zone, 'DELETED' AS kind, a.starts_at AS old_starts_at, a.starts_at,
           $4 AS modified_at
    FROM locked a JOIN due ON due.id = a.id JOIN facilities f ON f.id = a.facility_id
    WHERE a.synced_status IS DISTINCT FROM 'CANCELLED'
),
{change_notices}
{outbox}
SELECT (SELECT count(*) FROM due) AS deleted, (SELECT count(*) FROM notified) AS notifications,
       {skipped_columns}
