-- Joins that add to a visit, with the joins of fit.part.sql:
-- hours and version (changed_at, is_recorded): what the hours of its day are and since when, where it does not fit;
-- standing (class): what the job makes of it.
-- The caller provides the expressions of the aggregates, the change and the absences. Continue with WHERE.
-- $1 now timestamptz · $6 whether hours count that no run has recorded bool
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
