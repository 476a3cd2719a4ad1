-- A join that adds to a visit, with the joins of clinic/visit.part.sql, wait (slot_length, timeout_minutes): how long its
-- patient is waited for. What cannot be read is NULL.
-- The caller provides the expressions of the slot length and of the facility's own timeout. Continue with a join or
-- WHERE.
CROSS JOIN LATERAL (
    SELECT length.of_slot AS slot_length, COALESCE({no_show_after}, length.of_slot) AS timeout_minutes
    FROM (SELECT {slot_length} AS of_slot) length
) wait
