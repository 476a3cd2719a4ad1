-- Records the SLA risk of a batch of tickets, and notifies the people of those whose risk rose. Returns one row: counts
-- and the skipped ids.
-- $1 now timestamptz · $2 ids of tickets, keys · $3 run id uuid · $4 actor text or NULL, the id of a user
-- $5 only tickets of this facility, a key or NULL
WITH
-- The tickets. A ticket that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT t.id, {number} AS number, t.facility_id, t.status, t.priority, t.created_by, t.assignee_id, t.team_id, t.created_at,
           t.sla_due_at, t.custom_sla_due_at
    FROM tickets t WHERE t.id = ANY ($2) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
due AS MATERIALIZED (
    SELECT t.id, t.number, t.facility_id, t.created_by, t.assignee_id, t.team_id, sla.due_at, risk.breached, risk.level,
           risk.due_text, news.notify, CASE risk.level WHEN 'high' THEN 'HIGH' ELSE 'NORMAL' END AS urgency
    FROM locked t
    {risk}
    AND {due} AND (t.facility_id = $5 OR $5 IS NULL)
    ORDER BY t.id
),
-- The people of each ticket: creator, assignee, leaders of its team if that is active, and followers, each once.
people AS (
    SELECT id, urgency, created_by AS user_id FROM due WHERE notify
    UNION SELECT id, urgency, assignee_id FROM due WHERE notify
    UNION
    SELECT due.id, due.urgency, m.user_id FROM due
    JOIN teams g ON g.id = due.team_id AND g.active
    JOIN team_members m ON m.team_id = g.id AND m.is_leader
    WHERE notify
    UNION SELECT due.id, urgency, f.user_id FROM due JOIN ticket_followers f ON f.ticket_id = due.id WHERE notify
),
-- Those of them who can be told: who are active, on the channels that they want.
told AS MATERIALIZED (
    SELECT p.id, u.id AS user_id, notice.channel
    FROM people p
    JOIN users u ON u.id = p.user_id AND u.active
    {channels}
    WHERE notice.wanted
),
-- The breached tickets of which none of them can be told.
alone AS MATERIALIZED (
    SELECT d.id, d.facility_id FROM due d WHERE d.notify AND d.breached AND d.id NOT IN (SELECT id FROM told)
),
{stand_ins},
recipients AS (SELECT id, user_id, channel FROM told UNION ALL SELECT id, user_id, channel FROM stand_ins),
-- Who is told in the application is told at once, who is told by e-mail when a provider has accepted that.
recorded AS (
    INSERT INTO ticket_history (ticket_id, action, actor_id, actor, details, created_at, run_id, told_at)
    SELECT d.id::text, 'sla_status_checked', $4, CASE WHEN $4 IS NULL THEN 'system' ELSE 'user' END,
           jsonb_build_object('isCompliant', NOT d.breached, 'breachRisk', d.level,
                              'remainingTime', round(EXTRACT(epoch FROM d.due_at - $1)),
                              'checkedAt', to_char($1 AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                              'dueAt', d.due_text),
           $1, $3, CASE WHEN d.id IN (SELECT r.id FROM recipients r WHERE r.channel = 'IN_APP') THEN $1 END
    FROM due d
),
staged AS (
    SELECT 'USER' AS recipient_kind, r.user_id::text AS recipient_id, NULL::text AS address, r.channel,
           CASE WHEN d.breached THEN 'TICKET_SLA_BREACHED' ELSE 'TICKET_SLA_AT_RISK' END AS type,
           d.urgency AS priority, CASE WHEN d.breached THEN 'SLA breached' ELSE 'SLA at risk' END AS title,
           format(CASE WHEN d.breached THEN 'Ticket #%s has breached its SLA'
                       ELSE 'Ticket #%s is at risk of breaching its SLA' END, d.number) AS body,
           jsonb_build_object('ticket_id', d.id::text, 'breach_risk', d.level, 'due_at', d.due_at) AS metadata,
           jsonb_build_object('ticket_id', d.id::text, 'ticket', d.number, 'risk', d.level) AS placeholders,
           'ticket' AS entity, d.id::text AS entity_id, d.facility_id::text AS facility_id,
           concat_ws(':', 'ticket_sla', d.id::text, $3) AS episode,
           false AS suppressed, NULL::timestamptz AS expires_at, $1 AS staged_at, $3 AS run_id
    FROM recipients r
    JOIN due d ON d.id = r.id
),
{outbox},
undeliverable AS MATERIALIZED (
    SELECT a.id, 'the breach of its SLA is recorded, but nobody was told: no active creator, assignee, team leader or '
                 'follower of it takes notices, and no active MANAGER or HOSPITAL_ADMIN of its facility' AS message
    FROM alone a WHERE a.id NOT IN (SELECT id FROM stand_ins)
),
{undeliverable_recorded}
SELECT (SELECT count(*) FROM due) AS recorded,
       (SELECT count(*) FROM notified WHERE status <> 'SUPPRESSED') AS notifications,
       {undeliverable_column},
       {skipped_columns}
