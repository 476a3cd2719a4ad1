-- The CTE staged, for actions that send messages.
-- The caller (apply.sql) provides the CTE messages, $1 now timestamptz, $2 id of the rule text and $11 run id uuid. It
-- ends with a comma: continue with outbox.part.sql.
staged AS (
    SELECT recipient_kind, recipient_id, address, channel, type, priority, title, body,
           jsonb_build_object('ticket_id', id::text, 'rule_id', $2) AS metadata,
           jsonb_build_object('ticket_id', id::text, 'ticket', ticket, 'rule_id', $2) || words AS placeholders,
           'ticket' AS entity, id::text AS entity_id, facility_id::text AS facility_id,
           concat_ws(':', 'ticket_escalation', $2, id::text, $11, number) AS episode, false AS suppressed,
           NULL::timestamptz AS expires_at, $1 AS staged_at, $11 AS run_id
    FROM messages
),
