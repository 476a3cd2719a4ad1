-- Marks a batch of visits as deleted, and stages the notices to those who have to know. Returns one row of counts.
-- The mark is in the ledger; the clinic's row is locked meanwhile. Of a visit whose row the application has deleted
-- nobody is told.
-- $1 external ids text[] · $2 now timestamptz · $3 run id uuid · $4 when the account was asked timestamptz
-- $5 facilities whose time zone cannot be read, keys
WITH
visits AS MATERIALIZED (
    SELECT v.external_id AS id FROM practiceq_visits v WHERE v.external_id = ANY ($1)
),
held AS MATERIALIZED (
    SELECT a.id, a.external_id, a.patient_id, a.facility_id FROM appointments a
    WHERE a.external_id = ANY ($1) ORDER BY a.id FOR NO KEY UPDATE SKIP LOCKED
),
locked AS MATERIALIZED (
    SELECT v.external_id AS id, v.starts_at, v.status, v.modified_at, v.read_at, v.deleted_at FROM practiceq_visits v
    WHERE v.external_id = ANY ($1)
      AND (v.external_id IN (SELECT external_id FROM held)
           OR NOT EXISTS (SELECT FROM appointments a WHERE a.external_id = v.external_id))
    ORDER BY v.external_id FOR NO KEY UPDATE SKIP LOCKED
),
-- A visit that was read after the account was asked stays.
due AS MATERIALIZED (
    SELECT * FROM locked WHERE deleted_at IS NULL AND (read_at <= $4 OR NOT {has_passed})
),
deleted AS (
    UPDATE practiceq_visits v SET deleted_at = $4, missed_sweep = NULL FROM due WHERE v.external_id = due.id
),
changes AS MATERIALIZED (
    SELECT a.id::text, a.patient_id, a.facility_id, CASE WHEN f.id <> ALL ($5) THEN f.time_zone::text END AS zone, 'DELETED' AS kind,
           due.starts_at AS old_starts_at, due.starts_at,
           -- The version that is gone, whenever the account was asked: nobody is told of it twice.
           coalesce(due.modified_at, due.read_at) AS modified_at
    FROM due JOIN held a ON a.external_id = due.id JOIN facilities f ON f.id = a.facility_id
    WHERE due.status <> 'CANCELLED'
),
{change_notices}
{outbox}
SELECT (SELECT count(*) FROM due) AS deleted, (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {skipped_columns}
