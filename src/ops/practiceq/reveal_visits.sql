-- Reads the names of the patients of visits, and records for each visit that it was shown.
-- The caller provides the expressions of the names.
-- $1 visits, keys · $2 who looks text, the id of a user · $3 os_user text · $4 host text
WITH
shown AS MATERIALIZED (
    SELECT a.id::text AS id, p.id::text AS patient_id, p.first_name::text AS first_name, p.last_name::text AS last_name
    FROM appointments a JOIN patients p ON p.id = a.patient_id WHERE a.id = ANY ($1)
),
recorded AS (
    INSERT INTO phi_access_log (user_id, patient_id, command, entity, entity_id, accessed_at, os_user,
                                host, db_login)
    SELECT $2, patient_id, 'practiceq visits', 'appointment', id, clock_timestamp(), $3, $4, session_user::text
    FROM shown
    RETURNING entity_id
)
SELECT id, {first_name} AS first_name, {last_name} AS last_name, (SELECT count(*) FROM recorded) AS recorded
FROM shown
