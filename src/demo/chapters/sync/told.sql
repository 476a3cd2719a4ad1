-- The account's appointments: what is in the charts, and what waits for a person.
SELECT v.external_id AS "account's id", 'visit of patient ' || v.patient_id AS "what it is",
       to_char(v.starts_at AT TIME ZONE 'America/Denver', 'DD Mon HH24:MI') AS "in Denver", a.status
FROM practiceq_visits v JOIN appointments a ON a.id::text = v.appointment_id
UNION ALL
SELECT u.external_id, 'waits for a person: ' || u.reason, to_char(u.starts_at AT TIME ZONE 'America/Denver', 'DD Mon HH24:MI'),
       u.status
FROM practiceq_unmatched u WHERE u.status = 'open'
ORDER BY 1
