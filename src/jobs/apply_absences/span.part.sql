-- Joins that add to a visit `a` of clinic/visit.part.sql `span` (ends_at). Continue with a join or WHERE.
-- The caller provides the expressions of a slot's day and end, and of the length of the doctor's slots.
LEFT JOIN LATERAL (
    SELECT max({slot_day} + {slot_end}) AS ends FROM doctor_slots s WHERE s.appointment_id = a.id
) own_slot ON true
CROSS JOIN LATERAL (
    SELECT COALESCE(CASE WHEN own_slot.ends > visit.day + visit.start_time
                         THEN own_slot.ends AT TIME ZONE tz.zone END,
                    visit.starts_at + make_interval(mins => {slot_length}), visit.starts_at) AS ends_at
) span
