-- Joins that add to an absence of of_doctor.part.sql the slots `s` of its days that are not blocked or are booked, and
-- `slot` (starts_at, ends_at). A slot whose end is not after its start ends on the next day; one whose end cannot be read
-- is as long as the doctor's slots.
-- The caller provides the relation of the slots, and the expressions of their day and times. Continue with a join or
-- WHERE.
-- $3 first date in any time zone date
JOIN {slots} s ON s.doctor_id = x.doctor_id AND s.slot_date >= $3
    AND s.slot_date >= leave.first_day - 1 AND s.slot_date < leave.last_day + 1
    -- As in the index; of others there is nothing to be done.
    AND (NOT s.is_blocked OR s.is_booked)
CROSS JOIN LATERAL (SELECT {slot_day} AS day, {slot_start} AS start_time, {slot_end} AS end_time) own
CROSS JOIN LATERAL (
    SELECT (own.day + own.start_time) AT TIME ZONE tz.zone AS starts_at,
           COALESCE((own.day + CASE WHEN own.end_time > own.start_time THEN 0 ELSE 1 END + own.end_time)
                        AT TIME ZONE tz.zone,
                    (own.day + own.start_time) AT TIME ZONE tz.zone + make_interval(mins => {slot_length}),
                    (own.day + own.start_time) AT TIME ZONE tz.zone) AS ends_at
    OFFSET 0
) slot
