-- Returns the identifying data of alerts, and records in phi_access_log that they were shown, with one row for each
-- alert. Of an alert whose visit is deleted only the message is left, and who the patient was is not known.
-- The caller provides the expressions of the texts.
-- $1 ids of alerts bigint[] · $2 visits of the alerts, keys · $3 actor text, the id of a user
-- $4 os_user text · $5 host text
WITH
shown AS MATERIALIZED (
    SELECT x.id, x.message, p.id::text AS patient_id, p.first_name::text AS patient_first_name,
           p.last_name::text AS patient_last_name, COALESCE(p.mrn::text, '') AS mrn
    FROM stage_alerts x
    LEFT JOIN appointments a ON a.id = ANY ($2) AND a.id::text = x.appointment_id
    LEFT JOIN patients p ON p.id = a.patient_id
    WHERE x.id = ANY ($1)
),
recorded AS (
    INSERT INTO phi_access_log (user_id, patient_id, command, entity, entity_id, accessed_at, os_user,
                                host, db_login)
    SELECT $3, patient_id, 'alerts list', 'stage_alert', id::text, clock_timestamp(), $4, $5, session_user::text
    FROM shown
    RETURNING entity_id
)
SELECT id, {message} AS message, {patient_first_name} AS patient_first_name, {patient_last_name} AS patient_last_name,
       {mrn} AS mrn, (SELECT count(*) FROM recorded) AS recorded
FROM shown
