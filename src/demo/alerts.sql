-- The alerts that a run of stage-alerts raised and resolved, and the reasons, as texts.
-- $1 run id uuid · $2 the instant of the run timestamptz
SELECT CASE WHEN x.run_id = $1 THEN 'RAISED' ELSE 'RESOLVED' END AS "alert",
       x.alert_type AS "type",
       a.id::text AS "visit",
       split_part(f.name, ', ', 2) AS "facility",
       CASE WHEN x.run_id <> $1 THEN 'alert of ' || to_char(x.triggered_at AT TIME ZONE f.time_zone, 'HH24:MI')
            WHEN x.alert_type = 'NO_DOCTOR' THEN 'vitals at ' || w.vitals
            WHEN x.alert_type = 'NO_VITALS' AND w.starts > a.checked_in_at
                THEN 'start at ' || to_char(w.starts AT TIME ZONE f.time_zone, 'HH24:MI')
            ELSE 'check-in at ' || w.checked_in END AS "since",
       CASE WHEN x.run_id <> $1 AND x.alert_type = 'NO_VITALS' AND a.vitals_recorded_at IS NOT NULL
                THEN 'vitals taken at ' || w.vitals
            WHEN x.run_id <> $1 THEN 'the doctor came at ' || to_char(s.begins_at AT TIME ZONE f.time_zone, 'HH24:MI')
            WHEN x.alert_type = 'NO_VITALS' THEN format('%s min, no vitals (limit 5)',
                floor(EXTRACT(epoch FROM $2 - GREATEST(a.checked_in_at, w.starts)) / 60))
            WHEN x.alert_type = 'NO_DOCTOR' THEN format('%s min, no doctor (limit 10)',
                floor(EXTRACT(epoch FROM $2 - a.vitals_recorded_at) / 60))
            ELSE format('%s min in all (limit %s)', floor(EXTRACT(epoch FROM $2 - a.checked_in_at) / 60),
                        f.waiting_alert_minutes) END AS "why",
       CASE WHEN x.run_id <> $1 THEN '' WHEN told.heads = 0 THEN 'nobody: no login'
            WHEN x.alert_type = 'NO_DOCTOR' THEN 'the doctor'
            WHEN x.alert_type = 'NO_VITALS' THEN format('%s nurses', told.heads)
            ELSE format('%s staff', told.heads) END AS "told"
FROM stage_alerts x
JOIN appointments a ON a.id::text = x.appointment_id
JOIN facilities f ON f.id = a.facility_id
JOIN demo_script s ON s.appointment_id = a.id
CROSS JOIN LATERAL (
    SELECT (a.appointment_date + a.start_time) AT TIME ZONE f.time_zone AS starts,
           to_char(a.checked_in_at AT TIME ZONE f.time_zone, 'HH24:MI') AS checked_in,
           to_char(a.vitals_recorded_at AT TIME ZONE f.time_zone, 'HH24:MI') AS vitals
) w
CROSS JOIN LATERAL (
    SELECT count(*) AS heads FROM notifications n
    WHERE n.entity = 'appointment' AND n.entity_id = a.id::text AND n.metadata ->> 'alert_type' = x.alert_type
) told
WHERE $1 IN (x.run_id, x.resolved_run_id)
ORDER BY x.run_id <> $1, a.id, x.id
