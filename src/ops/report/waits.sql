-- Returns how long patients waited, in all and by hour of arrival: from arrival to vitals; and from arrival until a run saw
-- that the doctor had come, of the visits with an alert that waited for that, since no column has that instant.
-- $1 first day date · $2 last day date · $3 the facilities whose zone cannot be read, keys
WITH visits AS (
    SELECT EXTRACT(hour FROM {arrived} AT TIME ZONE f.time_zone::text)::int AS hour,
           EXTRACT(epoch FROM {vitals} - {arrived})::float8 AS to_vitals,
           EXTRACT(epoch FROM seen.at - {arrived})::float8 AS to_doctor
    FROM appointments a
    JOIN facilities f ON f.id = a.facility_id
    LEFT JOIN LATERAL (
        SELECT min(x.resolved_at) AS at FROM stage_alerts x
        WHERE x.appointment_id = a.id::text AND x.alert_type IN ('NO_DOCTOR', 'WAITING_TOO_LONG')
          AND x.resolved_run_id IS NOT NULL
    ) seen ON a.status IN ('IN_PROGRESS', 'COMPLETED')
    WHERE a.source = 'LOCAL' AND a.checked_in_at IS NOT NULL AND NOT (f.id = ANY ($3))
      AND a.appointment_date >= $1 AND a.appointment_date < $2 + 1
),
-- A wait below nothing, or of more than a day, is a slip of whoever recorded it.
sane AS (
    SELECT v.hour, CASE WHEN v.to_vitals BETWEEN 0 AND 86400 THEN v.to_vitals END AS to_vitals,
           CASE WHEN v.to_doctor BETWEEN 0 AND 86400 THEN v.to_doctor END AS to_doctor
    FROM visits v
)
SELECT GROUPING(s.hour) AS grouping, s.hour, count(*) AS arrivals,
       count(s.to_vitals) AS vitals, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.to_vitals) AS vitals_median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY s.to_vitals) AS vitals_p90,
       count(s.to_doctor) AS doctors, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.to_doctor) AS doctor_median,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY s.to_doctor) AS doctor_p90
FROM sane s
GROUP BY GROUPING SETS ((), (s.hour))
ORDER BY 1 DESC, s.hour
