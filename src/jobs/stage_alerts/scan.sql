-- Returns the due alerts, and those whose beginning cannot be read, which cannot be judged. Where only the slot length
-- is missing, the doctor is reported instead.
-- $1 to $8 are the parameters of waiting.part.sql · $9 limit bigint
-- $10 only of this facility, a key or NULL
WITH found AS MATERIALIZED (
    SELECT a.id, alert.type, alert.since IS NULL AS is_unreadable
    FROM appointments a
    {waiting}
    AND (a.facility_id = $10 OR $10 IS NULL)
    AND a.id IS NOT NULL
    AND ((alert.since IS NULL AND alert.after_minutes IS NOT NULL
          AND (NOT alert.by_slot OR own.slot_length IS NOT NULL))
         OR (true
    {due}))
)
SELECT f.id::text AS id, f.type, f.is_unreadable FROM found f ORDER BY f.is_unreadable, f.id LIMIT $9
