-- Blocks a batch of slots. Returns one row: counts and the skipped ids.
-- $1 to $6 are the parameters of the rule · $7 ids of slots, keys · $8 id of the run uuid
WITH
-- The slots. A slot that another session has locked is left to the next run. FOR UPDATE, because appointment_id is
-- unique.
locked AS MATERIALIZED (
    SELECT s.id, s.doctor_id, s.slot_date, s.start_time, s.end_time, s.is_booked, s.is_blocked, s.appointment_id
    FROM doctor_slots s WHERE s.id = ANY ($7) ORDER BY s.id FOR UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows. Of several leaves an emergency comes first, then the one that began first.
due AS MATERIALIZED (
    SELECT DISTINCT ON (s.id)
           s.id, x.id::text AS absence_id, d.id::text AS doctor_id, f.id::text AS facility_id, slot.starts_at,
           slot.ends_at, s.is_blocked AS was_blocked, {freed} IS TRUE AS freed
    {slots} AND {blocked}
    ORDER BY s.id, {freed} IS TRUE DESC, leave.begins_at, x.id
),
blocked AS (
    UPDATE doctor_slots s
    SET is_blocked = true, is_booked = s.is_booked AND NOT due.freed,
        appointment_id = CASE WHEN NOT due.freed THEN s.appointment_id END
    FROM due WHERE s.id = due.id
    RETURNING due.*
),
own_blocks AS (
    SELECT b.id::text AS slot_id, b.absence_id, b.doctor_id, b.facility_id, b.starts_at, b.ends_at, b.was_blocked
    FROM blocked b
),
{own_blocks_recorded}
SELECT (SELECT count(*) FROM blocked) AS blocked,
       {skipped_columns}
