-- Deletes what is kept of slots that were blocked for a leave, and are long over. Returns the count.
-- $1 the instant before which a slot is long over timestamptz · $2 limit bigint
WITH
locked AS MATERIALIZED (
    SELECT b.id FROM blocked_slots b WHERE b.ends_at < $1 ORDER BY b.id LIMIT $2 FOR UPDATE SKIP LOCKED
),
deleted AS (
    DELETE FROM blocked_slots b USING locked WHERE b.id = locked.id RETURNING b.id
)
SELECT count(*) AS forgotten FROM deleted
