-- The action send_webhook: posts to the endpoint of the rule that the ticket was escalated. An endpoint is told ids and
-- codes; the rule's message is for who reads the row.
-- The caller (apply.sql) provides the CTE due, $14 action jsonb, and the cut message; the part defines the CTEs outcomes
-- and messages. It is a list of CTEs without a comma at the end: continue with a comma.
messages AS (
    SELECT d.id, d.number AS ticket, d.facility_id, 'ADDRESS' AS recipient_kind, NULL::text AS recipient_id,
           $14 ->> 'endpoint' AS address, 'WEBHOOK' AS channel, 'TICKET_ESCALATED' AS type, 'HIGH' AS priority,
           format('Ticket #%s escalated', d.number) AS title, COALESCE({message}, '') AS body, '{{}}'::jsonb AS words,
           -- The address is no part of a message's key.
           $14 ->> 'endpoint' AS number
    FROM due d
),
outcomes AS (
    SELECT d.id, NULL::text AS refused, jsonb_build_object('endpoint', $14 ->> 'endpoint') AS details FROM due d
)
