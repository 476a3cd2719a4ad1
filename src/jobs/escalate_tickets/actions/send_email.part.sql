-- Stages an e-mail to each address of the rule, and says which ticket it is about.
recipients AS MATERIALIZED (
    SELECT address, min(number) AS number
    FROM jsonb_array_elements_text($14 -> 'recipients') WITH ORDINALITY AS r (address, number) GROUP BY address
),
told AS (
    SELECT d.id, 'ADDRESS' AS recipient_kind, NULL::bigint AS recipient_id, r.address, 'EMAIL' AS channel,
           'TICKET_ESCALATED' AS type, format('%s (ticket #%s)', $14 ->> 'subject', d.number) AS title, $14 ->> 'message' AS body, r.number
    FROM due d CROSS JOIN recipients r
),
acted AS (
    SELECT d.id, NULL::text AS refused, jsonb_build_object('recipients', (SELECT count(*) FROM recipients)) AS details
    FROM due d
)
