-- Forgets what was kept of clients of the account for a person to decide whose they are: what is open when its visit is
-- long over; of a decision all but the decision when it is old; and a decision that they are nobody's when both are. A
-- link stays: it says whose a visit is that is in a chart. Returns the count.
-- $1 the instant before which a visit or a decision is old timestamptz · $2 limit bigint
WITH
-- A row that a person decides at this moment is left to the next run.
locked AS MATERIALIZED (
    SELECT u.id, u.status <> 'linked' AND u.starts_at < $1 AS is_over
    FROM practiceq_unmatched u
    WHERE CASE u.status WHEN 'open' THEN u.starts_at < $1
               ELSE u.decided_at < $1 AND (u.content <> '{}' OR (u.status = 'ignored' AND u.starts_at < $1)) END
    ORDER BY u.id LIMIT $2 FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM practiceq_unmatched u USING locked WHERE u.id = locked.id AND locked.is_over
),
emptied AS (
    UPDATE practiceq_unmatched u SET content = '{}' FROM locked WHERE u.id = locked.id AND NOT locked.is_over
)
SELECT count(*) AS forgotten FROM locked
