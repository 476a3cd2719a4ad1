-- Reads the names of unmatched appointments, and records for each that it was shown.
-- The caller provides the expressions of the texts.
-- $1 ids bigint[] · $2 who looks text, the id of a user · $3 os_user text · $4 host text
WITH
shown AS MATERIALIZED (
    SELECT id, patient_id, content ->> 'client_name' AS client_name, content ->> 'client_email' AS client_email,
           content ->> 'date_of_birth' AS client_date_of_birth
    FROM practiceq_unmatched WHERE id = ANY ($1)
),
recorded AS (
    INSERT INTO phi_access_log (user_id, patient_id, command, entity, entity_id, accessed_at, os_user,
                                host, db_login)
    SELECT $2, patient_id, 'practiceq unmatched list', 'practiceq_unmatched', id::text, clock_timestamp(), $3,
           $4, session_user::text
    FROM shown
    RETURNING entity_id
)
SELECT id, {name} AS client_name, {email} AS client_email, {birth} AS client_date_of_birth,
       (SELECT count(*) FROM recorded) AS recorded
FROM shown
