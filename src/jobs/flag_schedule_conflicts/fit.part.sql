-- Joins that add to a visit, with the joins of clinic/visit.part.sql:
-- stay (weekday, begins, ends), its day of the week and its time by the facility's clock, to the end of its slot, else
-- for the doctor's slot length; a length that cannot be read is NULL;
-- fit (verdict): FITS, CONFLICT, or UNKNOWN where it begins within the hours and its end is not known.
-- The caller provides the expressions of the times. Continue with a join or WHERE.
-- One row, also where an application gives a visit two slots.
CROSS JOIN LATERAL (
    SELECT max({slot_day} + {slot_end}) AS ends FROM doctor_slots s
    WHERE s.appointment_id = a.id AND ({slot_day} + {slot_end}) > visit.day + visit.start_time
) slot
CROSS JOIN LATERAL (
    SELECT EXTRACT(isodow FROM visit.day)::int AS weekday, visit.day + visit.start_time AS begins,
           COALESCE(slot.ends, visit.day + visit.start_time + make_interval(mins => {slot_length})) AS ends
) stay
CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(inside.is_so) THEN 'FITS'
                WHEN stay.ends IS NULL AND bool_or(inside.is_so IS NULL) THEN 'UNKNOWN' ELSE 'CONFLICT' END AS verdict
    FROM doctor_schedules w
    CROSS JOIN LATERAL (
        SELECT stay.begins >= visit.day + {from} AND stay.begins < visit.day + {to} AND stay.ends <= visit.day + {to}
               AND (w.break_start IS NULL OR stay.ends <= visit.day + {break_from}
                    OR stay.begins >= visit.day + {break_to}) AS is_so
    ) inside
    WHERE w.doctor_id = a.doctor_id AND w.weekday = stay.weekday AND w.active
) fit
