-- Lets one rule fire for a batch of tickets: the action, its history and the key of the episode at once. One row of counts
-- comes back, with the ids of the tickets for which the action was refused.
-- $1 .. $9 as in the rule · $10 ids of tickets bigint[] · $11 run id uuid · $12 who ran it by hand, a user's id or NULL
-- $13 action_type text · $14 action jsonb
WITH
-- The tickets. One that the clinic's application holds right now is left to the next run.
locked AS MATERIALIZED (
    SELECT t.* FROM tickets t WHERE t.id = ANY ($10) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on what the rows say now that they are locked; and whether it is still the rule.
due AS MATERIALIZED (
    SELECT t.* FROM locked t
    {due}
    AND EXISTS (SELECT FROM escalation_rules r WHERE r.id = $2 AND r.active AND r.definition = $9)
    ORDER BY t.id
),
-- The action makes `acted` (id, refused, details) and `told` (id, recipient_kind, recipient_id, address, channel, type,
-- title, body, number), what is to be said to whom.
{action},
fired AS (
    INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at, run_id)
    SELECT $2, id, $9, $1, $11 FROM acted
    ON CONFLICT (rule_id, ticket_id)
    DO UPDATE SET definition = EXCLUDED.definition, fired_at = EXCLUDED.fired_at, run_id = EXCLUDED.run_id
),
recorded AS (
    INSERT INTO ticket_history (ticket_id, action, actor_id, actor, details, created_at, run_id)
    SELECT id, CASE WHEN refused IS NULL THEN 'escalation_executed' ELSE 'escalation_failed' END, $12,
           CASE WHEN $12 IS NULL THEN 'system' ELSE 'user' END,
           jsonb_strip_nulls(jsonb_build_object('ruleId', $2, 'condition', $3, 'action', $13, 'reason', refused)) || details,
           $1, $11
    FROM acted
),
-- The run's own record of what was refused; a rehearsal is no run.
errors AS (
    INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
    SELECT $11, 'ticket', id::text, format('RULE_%s_REFUSED', $2), refused FROM acted
    WHERE refused IS NOT NULL AND EXISTS (SELECT FROM cron_job_runs r WHERE r.id = $11)
    ON CONFLICT DO NOTHING
),
staged AS (
    SELECT recipient_kind, recipient_id, address, channel, type, 'HIGH' AS priority, title, body,
           jsonb_build_object('ticket_id', id, 'rule_id', $2) AS metadata, 'ticket' AS entity, id::text AS entity_id,
           concat_ws(':', 'ticket_escalation', $2, id, $11, number) AS episode, false AS suppressed,
           NULL::timestamptz AS expires_at, $1 AS staged_at, $11 AS run_id
    FROM told
),
{outbox}
SELECT (SELECT count(*) FROM acted WHERE refused IS NULL) AS executed,
       ARRAY(SELECT id FROM acted WHERE refused IS NOT NULL) AS refused,
       (SELECT count(*) FROM notified) AS notifications,
       (SELECT count(*) FROM acted WHERE details ->> 'notified' = '0') AS undeliverable,
       {skipped_columns}
