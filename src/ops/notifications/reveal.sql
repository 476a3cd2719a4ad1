-- Returns the text and the address of a message, and records in phi_access_log that they were shown. The caller provides
-- the expressions of the texts.
-- $1 id bigint · $2 actor text, the id of a user · $3 os_user text · $4 host text
WITH
shown AS MATERIALIZED (
    SELECT n.id, n.address, n.title, n.body, n.placeholders, n.recipient_kind, n.recipient_id
    FROM notifications n
    WHERE n.id = $1
),
recorded AS (
    INSERT INTO phi_access_log (user_id, patient_id, command, entity, entity_id, accessed_at, os_user,
                                host, db_login)
    SELECT $2, CASE recipient_kind WHEN 'PATIENT' THEN recipient_id END, 'notifications show', 'notification', id::text,
           clock_timestamp(), $3, $4, session_user::text
    FROM shown
    RETURNING entity_id
)
SELECT address, title, body, placeholders, (SELECT count(*) FROM recorded) AS recorded
FROM shown
