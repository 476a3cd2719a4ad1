-- Fires one rule for a batch of tickets: the action, its history and the episode in one statement. Returns one row:
-- counts, the ids of the tickets for which the action was refused, for the first time in this episode, with the
-- reasons, and again, and the skipped ids.
-- $1 to $9 are the parameters of due.part.sql · $10 ids of tickets, keys · $11 run id uuid
-- $12 actor text or NULL, the id of a user · $13 action_type text · $14 action jsonb
-- $15 users that the action names, keys · $16 team that it names, a key or NULL · $17 id of the rule, a key
-- $18 whether their rows are held boolean · $19 only tickets of this facility, a key or NULL
WITH
-- The tickets. A ticket that another session has locked is left to the next run, and so are all if somebody holds whom
-- the action names.
locked AS MATERIALIZED (
    SELECT t.id, {number} AS number, t.facility_id, t.status, t.status_changed_at, t.priority, t.assignee_id, t.team_id,
           t.customer_rating, t.created_by, t.created_at, t.sla_due_at, t.custom_sla_due_at
    FROM tickets t WHERE t.id = ANY ($10) AND $18 ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows, if its definition has not changed.
due AS MATERIALIZED (
    SELECT t.* FROM locked t
    {due}
    AND EXISTS (SELECT FROM escalation_rules r WHERE r.id = $17 AND r.active AND {definition} = $9)
    AND (t.facility_id = $19 OR $19 IS NULL)
    ORDER BY t.id
),
-- Those whom the action names, if they are active.
target_users AS MATERIALIZED (SELECT u.id FROM users u WHERE u.id = ANY ($15) AND u.active),
target_team AS MATERIALIZED (SELECT g.id FROM teams g WHERE g.id = $16 AND g.active),
-- The action defines the CTE outcomes (id, refused, details), and if it sends messages the CTE messages (id, ticket,
-- facility_id, recipient_kind, recipient_id, address, channel, type, priority, title, body, words, number); words is an
-- object with the texts of the rule.
{action},
-- The refusals that an earlier run has recorded in this episode.
repeated AS MATERIALIZED (
    SELECT o.id FROM outcomes o
    WHERE o.refused IS NOT NULL
      AND EXISTS (SELECT FROM escalation_episodes e
                  WHERE e.rule_id = $2 AND e.ticket_id = o.id::text AND e.definition = $9 AND e.refused_at IS NOT NULL
                  OFFSET 0)
),
news AS MATERIALIZED (
    SELECT o.id, o.refused, o.details FROM outcomes o WHERE o.id NOT IN (SELECT id FROM repeated)
),
fired AS (
    INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at, refused_at, run_id)
    SELECT $2, id::text, $9, $1, CASE WHEN refused IS NOT NULL THEN $1 END, $11 FROM news
    ON CONFLICT (rule_id, ticket_id)
    DO UPDATE SET definition = EXCLUDED.definition, fired_at = EXCLUDED.fired_at, refused_at = EXCLUDED.refused_at,
                  run_id = EXCLUDED.run_id
),
recorded AS (
    INSERT INTO ticket_history (ticket_id, action, actor_id, actor, details, created_at, run_id, told_at)
    SELECT id::text, CASE WHEN refused IS NULL THEN 'escalation_executed' ELSE 'escalation_failed' END, $12,
           CASE WHEN $12 IS NULL THEN 'system' ELSE 'user' END,
           -- What all rows have in common is made once.
           (SELECT jsonb_build_object('ruleId', $2, 'condition', $3, 'action', $13))
               || CASE WHEN refused IS NULL THEN details ELSE details || jsonb_build_object('reason', refused) END,
           $1, $11, {told_at}
    FROM news
),
-- The run's record of refused actions. A rehearsal has no row in cron_job_runs, so it records none.
errors AS (
    INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
    SELECT $11, 'ticket', id::text, format('RULE_%s_REFUSED', $2), refused FROM news
    WHERE refused IS NOT NULL AND EXISTS (SELECT FROM cron_job_runs r WHERE r.id = $11)
    ON CONFLICT (run_id, entity, entity_id, error_code) DO NOTHING
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT id, format('rule %s was carried out, but nobody was told: the team of the ticket has no active leader, and '
                      'its facility no active MANAGER or HOSPITAL_ADMIN, who takes such notices', $2) AS message
    FROM news WHERE details ->> 'notified' = '0'
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM outcomes WHERE refused IS NULL) AS executed,
       ARRAY(SELECT n.id::text FROM news n WHERE n.refused IS NOT NULL ORDER BY n.id) AS refused,
       ARRAY(SELECT n.refused FROM news n WHERE n.refused IS NOT NULL ORDER BY n.id) AS reasons,
       (SELECT count(*) FROM repeated) AS refused_again,
       ARRAY(SELECT r.id::text FROM repeated r ORDER BY r.id) AS still_refused,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column},
       {skipped_columns}
