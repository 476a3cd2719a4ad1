-- Joins that add to a visit, with the joins of clinic/visit.part.sql:
-- stay (weekday, begins, ends), its day of the week and its time by the facility's clock, to the end of its slot, else
-- for the doctor's slot length; a length that cannot be read is NULL;
-- fit (verdict): FITS, CONFLICT, or UNKNOWN where it begins within the hours and its end is not known;
-- hours and version (changed_at, is_recorded): what the hours of its day are and since when, where it does not fit;
-- standing (class): what the job makes of it.
-- The caller provides the expressions of the times, the aggregates, the change and the absences. Continue with WHERE.
-- $1 now timestamptz · $6 whether hours count that no run has recorded bool
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
-- Not looked for where the visit fits.
CROSS JOIN LATERAL (
    SELECT {hours}
    FROM doctor_schedules w
    WHERE fit.verdict <> 'FITS' AND w.doctor_id = a.doctor_id AND w.weekday = stay.weekday
) hours
LEFT JOIN schedule_versions known ON known.doctor_id = a.doctor_id::text AND known.weekday = stay.weekday
                                 AND known.ended_at IS NULL
CROSS JOIN LATERAL (
    SELECT {changed_at} AS changed_at, known.version IS NOT DISTINCT FROM hours.version AS is_recorded
) version
CROSS JOIN LATERAL (
    SELECT CASE WHEN visit.starts_at IS NULL THEN 'UNREADABLE'
                WHEN fit.verdict = 'FITS' THEN 'FITS'
                WHEN NOT EXISTS (SELECT FROM doctor_schedules w WHERE w.doctor_id = a.doctor_id)
                 AND NOT EXISTS (SELECT FROM schedule_versions v
                                 WHERE v.doctor_id = a.doctor_id::text AND v.ended_at IS NULL)
                THEN 'WITHOUT_SCHEDULE'
                WHEN fit.verdict = 'UNKNOWN' THEN 'NO_SLOT_LENGTH'
                WHEN EXISTS (SELECT {absences}
                             AND absence.begins_at <= visit.starts_at AND visit.starts_at < absence.ends_at)
                THEN 'ON_LEAVE'
                WHEN version.changed_at IS NULL THEN 'UNDATED'
                WHEN {made_at} > version.changed_at THEN 'MADE_AFTER'
                WHEN EXISTS (SELECT FROM schedule_flags x
                             WHERE x.appointment_id = a.id::text AND x.doctor_id = a.doctor_id::text
                               AND x.weekday = stay.weekday AND x.version = hours.version
                               AND x.changed_at = version.changed_at)
                THEN 'TOLD'
                WHEN NOT ($6 OR version.is_recorded) THEN 'UNSEEN'
                ELSE 'DUE' END AS class
    -- Computed once: without this the planner would write it out wherever it is used.
    OFFSET 0
) standing
