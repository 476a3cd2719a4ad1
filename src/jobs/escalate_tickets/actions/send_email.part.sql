-- The action send_email: sends an e-mail that names the ticket to each address of the rule.
-- The caller (apply.sql) provides the CTE due $14 action jsonb, and the cut message; the part defines the CTEs outcomes
-- and messages. It is a list of CTEs without a comma at the end: continue with a comma.
recipients AS MATERIALIZED (
    SELECT address, min(number) AS number
    FROM jsonb_array_elements_text($14 -> 'recipients') WITH ORDINALITY AS r (address, number) GROUP BY address
),
messages AS (
    SELECT d.id, d.number AS ticket, d.facility_id, 'ADDRESS' AS recipient_kind, NULL::text AS recipient_id, r.address, 'EMAIL' AS channel,
           'TICKET_ESCALATED' AS type, 'HIGH' AS priority,
           format('%s (ticket #%s)', $14 ->> 'subject', d.number) AS title,
           {message} AS body,
           jsonb_build_object('form', 'BY_RULE', 'subject', $14 ->> 'subject', 'message', {message}) AS words, r.number
    FROM due d CROSS JOIN recipients r
),
outcomes AS (
    SELECT d.id, NULL::text AS refused, (SELECT jsonb_build_object('recipients', count(*)) FROM recipients) AS details
    FROM due d
)
