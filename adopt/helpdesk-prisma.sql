-- A kit for a help desk made with Prisma: monitor-ticket-sla and escalate-tickets on the application's own tables.
--
-- It assumes that the application's tables are in schema public and those of rounds in schema rounds. Run it once,
-- after `rounds migrate`, as a role that owns both, or is a member of their owners:
--
--     psql -v history_user=ID -f adopt/helpdesk-prisma.sql
--
-- history_user is the id of a user of the application. Its ticket_history needs a user for each row; rows that nobody
-- caused get this one. An account that belongs to no person is best: make it in the application.
--
-- The role of the jobs needs what `rounds grants monitor-ticket-sla escalate-tickets` prints, and nothing in public:
-- views and triggers use the rights of their owner.
--
-- What is different from the application's own scheduler:
-- - A ticket without any date has the one of its priority's policy. The share of the time that is left counts from the
--   ticket's creation to that date, not from the policy's hours; so a ticket with a date is judged without a policy.
-- - no_response is ended by a public comment of the staff, not by an internal one or by one of the customer. Who made a
--   ticket counts as its customer, unless it is assigned to them or to their team.
-- - reassign_ticket fails for a ticket whose assignee does not belong to the new team, where the rule names no user,
--   because assignedTo may not be NULL. The ticket is an item of the run with code 23502; the others are reassigned.
-- - Rules run in the order of their creation. None has a cooldown.
--
-- The jobs write to tickets: priority, slaDueAt, assignedTo, teamId and updatedAt. They add followers. The SLA's status
-- is in rounds.ticket_history (action sla_status_checked), so tickets needs no column for it.

-- The first error ends it, and nothing is left of it.
\set ON_ERROR_STOP on
BEGIN;

-- history_user, readable from here to the end of the transaction.
\if :{?history_user}
\else
    \set history_user ''
\endif
SELECT set_config('rounds.history_user', :'history_user', true) \g /dev/null
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM public.users u WHERE u.id = current_setting('rounds.history_user')) THEN
        RAISE EXCEPTION 'history_user is no id of a user of the application; nothing was made'
            USING HINT = 'psql -v history_user=ID -f adopt/helpdesk-prisma.sql';
    END IF;
END $$;

-- 1. What the jobs read and write.
--
-- Each view has one table in its FROM and scalar subselects beside it, so that row locks and writes pass through it. A
-- column that a job writes is a plain one. Columns of type timestamp are read and written as UTC.

CREATE VIEW rounds.users AS
SELECT u.id, NULL::text AS facility_id, u.name, u.email,
       -- The roles of rounds decide who is a manager for notify_manager, who is told of a failing job, and who may
       -- start one by hand (HOSPITAL_ADMIN, SUPERVISOR). Whom a leader leads is read from team_leaders, so a leader is
       -- an AGENT like all others. Any other role has no right.
       (SELECT CASE r.name WHEN 'Admin/Manager' THEN 'HOSPITAL_ADMIN'
                           WHEN 'Team Leader' THEN 'AGENT'
                           WHEN 'User/Employee' THEN 'AGENT' END
        FROM public.roles r WHERE r.id = u."roleId") AS role,
       u."isActive" AND NOT u."isDeleted" AS active,
       -- Whoever may update this may lock the row, and write nothing.
       NULL::boolean AS row_lock
FROM public.users u;

CREATE VIEW rounds.teams AS
SELECT g.id, g.name, true AS active, NULL::boolean AS row_lock FROM public.teams g;

-- A leader need not be a member, and may lead several teams, so one table cannot give all rows. The jobs lock no row of
-- this view, and a union need not be lockable. A leader who is also a member has one row.
CREATE VIEW rounds.team_members AS
SELECT l."teamId" AS team_id, l."userId" AS user_id, true AS is_leader FROM public.team_leaders l
UNION ALL
SELECT u."teamId", u.id, false FROM public.users u
WHERE u."teamId" IS NOT NULL
  AND NOT EXISTS (SELECT FROM public.team_leaders l WHERE l."teamId" = u."teamId" AND l."userId" = u.id);

CREATE VIEW rounds.tickets AS
SELECT t.id, t."ticketNumber"::text AS number, NULL::text AS facility_id, t.title,
       -- Without a cast to text, so that an index can have this expression (part 3). A label that is added later is an
       -- open status that no rule names.
       CASE t.status WHEN 'OPEN' THEN 'OPEN'
                     WHEN 'IN_PROGRESS' THEN 'IN_PROGRESS'
                     WHEN 'WAITING_FOR_CUSTOMER' THEN 'WAITING'
                     WHEN 'RESOLVED' THEN 'RESOLVED'
                     WHEN 'CLOSED' THEN 'CLOSED'
                     ELSE 'OTHER' END AS status,
       -- A ticket whose status was never changed has had it since its creation.
       COALESCE((SELECT max(h."createdAt") FROM public.ticket_history h
                 WHERE h."ticketId" = t.id AND h.action = 'status_changed'), t."createdAt") AS status_changed_at,
       t.priority, t."createdBy" AS created_by, t."assignedTo" AS assignee_id, t."teamId" AS team_id,
       t."slaDueAt" AS sla_due_at, t."customSlaDueAt" AS custom_sla_due_at,
       (SELECT f.rating FROM public.ticket_feedback f WHERE f."ticketId" = t.id) AS customer_rating,
       t."createdAt" AS created_at, t."updatedAt" AS updated_at, NULL::boolean AS row_lock
FROM public.tickets t;

CREATE VIEW rounds.ticket_followers AS
SELECT f."ticketId" AS ticket_id, f."userId" AS user_id, f.id, f."updatedAt" AS updated_at
FROM public.ticket_followers f;
-- What the application's client makes for a new row.
ALTER VIEW rounds.ticket_followers ALTER id SET DEFAULT gen_random_uuid()::text;
ALTER VIEW rounds.ticket_followers ALTER updated_at SET DEFAULT (clock_timestamp() AT TIME ZONE 'UTC');

CREATE VIEW rounds.ticket_comments AS
SELECT c.id, c."ticketId" AS ticket_id, c."authorId" AS author_id, c.content AS body,
       -- What counts as a response: not what the customer writes.
       NOT c."isInternal"
           AND NOT EXISTS (SELECT FROM public.tickets t WHERE t.id = c."ticketId" AND t."customerId" = c."authorId")
           AS visible_to_customer,
       c."createdAt" AS created_at
FROM public.comments c;

CREATE VIEW rounds.sla_policies AS
SELECT p.id, p.priority, p."resolutionTimeHours"::bigint * 60 AS resolution_minutes, p."isActive" AS active,
       p."createdAt" AS created_at
FROM public.sla_policies p;

-- A user without a row is told in the application only.
CREATE VIEW rounds.notification_preferences AS
SELECT p."userId" AS user_id, p."inAppEnabled" AND p."notifyOnSLABreach" AS in_app,
       p."emailEnabled" AND p."notifyOnSLABreach" AS email
FROM public.notification_preferences p;

-- What a mapping does not know stays as it is. The job then refuses the rule, names it by its id, and runs the others.
CREATE VIEW rounds.escalation_rules AS
SELECT r.id, r.name, EXTRACT(epoch FROM r."createdAt") AS position, r."isActive" AS active,
       r."conditionType" AS condition_type,
       CASE
           -- There the hours before the breach, here those after it.
           WHEN r."conditionType" = 'sla_breach' AND jsonb_typeof(r."conditionValue" -> 'thresholdHours') = 'number'
           THEN r."conditionValue"
                    || jsonb_build_object('thresholdHours', -(r."conditionValue" ->> 'thresholdHours')::numeric)
           WHEN r."conditionType" = 'time_in_status' AND r."conditionValue" ->> 'status' = 'WAITING_FOR_CUSTOMER'
           THEN r."conditionValue" || '{"status": "WAITING"}'
           WHEN r."conditionType" = 'customer_rating' AND jsonb_typeof(r."conditionValue") = 'object'
           THEN r."conditionValue"
                    || CASE r."conditionValue" ->> 'operator'
                           WHEN 'less_than' THEN '{"operator": "<"}'
                           WHEN 'less_than_or_equal' THEN '{"operator": "<="}'
                           WHEN 'equal' THEN '{"operator": "="}'
                           WHEN 'greater_than_or_equal' THEN '{"operator": ">="}'
                           WHEN 'greater_than' THEN '{"operator": ">"}'
                           ELSE '{}' END::jsonb
           ELSE r."conditionValue" END AS condition,
       r."actionType" AS action_type,
       CASE
           -- The id of an active user becomes the user's address. So a user who is given another address, or is set
           -- inactive, makes the rule another one, which fires anew.
           WHEN r."actionType" = 'send_email' AND jsonb_typeof(r."actionConfig" -> 'recipients') = 'array'
           THEN r."actionConfig" || jsonb_build_object('recipients', (
                    SELECT COALESCE(jsonb_agg(COALESCE((SELECT to_jsonb(u.email) FROM public.users u
                                                        WHERE u.id = given.recipient #>> '{}'
                                                          AND u."isActive" AND NOT u."isDeleted"),
                                                       given.recipient)
                                              ORDER BY given.place), '[]')
                    FROM jsonb_array_elements(r."actionConfig" -> 'recipients') WITH ORDINALITY
                         AS given (recipient, place)))
           ELSE r."actionConfig" END AS action,
       NULL::double precision AS cooldown_hours
FROM public.escalation_rules r;

-- 2. What the application goes on seeing.
--
-- Triggers on the tables of rounds insert into the application's, in the transaction of the change itself; a dry run
-- undoes both. They are made so that no row of rounds can make them fail: a ticket or a user that is gone gets no row,
-- and one that is there cannot be deleted meanwhile (FOR KEY SHARE). One that the application is deleting, and a table
-- that it is altering, is waited for 100 ms, so that nobody runs into a deadlock; then the ticket is left to the next
-- run, as `locked`. If a trigger of the application refuses a row, the ticket of that row fails alone; such a trigger
-- finds the tables in public without their schema's name. `rounds prune` deletes rows of rounds, not those that are
-- made here.

-- What was done to tickets, by the user who started the run, or by history_user. A priority and an assignment are told
-- as the change of a field; everything else as the details of rounds, in JSON.
CREATE FUNCTION rounds.tell_helpdesk_of_history() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    INSERT INTO public.ticket_history (id, "ticketId", "userId", action, "fieldName", "oldValue", "newValue",
                                       "createdAt")
    SELECT gen_random_uuid()::text, t.id, u.id, h.action, changed.field,
           CASE changed.field WHEN 'priority' THEN h.details ->> 'from'
                              WHEN 'assignedTo' THEN h.details #>> '{from,userId}'
                              WHEN 'teamId' THEN h.details #>> '{from,teamId}' END,
           CASE changed.field WHEN 'priority' THEN h.details ->> 'to'
                              WHEN 'assignedTo' THEN h.details #>> '{to,userId}'
                              WHEN 'teamId' THEN h.details #>> '{to,teamId}'
                              ELSE h.details::text END,
           h.created_at AT TIME ZONE 'UTC'
    FROM inserted h
    JOIN public.tickets t ON t.id = h.ticket_id
    JOIN public.users u ON u.id = COALESCE(h.actor_id, TG_ARGV[0])
    CROSS JOIN LATERAL (
        SELECT CASE WHEN h.action <> 'escalation_executed' THEN NULL
                    WHEN h.details ->> 'action' = 'increase_priority' THEN 'priority'
                    WHEN h.details ->> 'action' IS DISTINCT FROM 'reassign_ticket' THEN NULL
                    WHEN h.details #>> '{from,userId}' IS DISTINCT FROM h.details #>> '{to,userId}' THEN 'assignedTo'
                    ELSE 'teamId' END AS field
    ) changed
    ORDER BY h.id
    FOR KEY SHARE OF t, u;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rounds.tell_helpdesk_of_history() FROM PUBLIC;
CREATE TRIGGER tell_helpdesk AFTER INSERT ON rounds.ticket_history REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION rounds.tell_helpdesk_of_history(:'history_user');

-- In-app notices to users. The application has no priority of a notice, and two types that fit: what is not about an
-- SLA is an ESCALATION, as the notice of a failing job. E-mails stay in rounds.notifications until they are delivered.
CREATE FUNCTION rounds.tell_helpdesk_of_notices() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    INSERT INTO public.notifications (id, "userId", type, title, message, "ticketId", "createdAt", "updatedAt")
    SELECT gen_random_uuid()::text, u.id,
           CASE WHEN n.type IN ('TICKET_SLA_BREACHED', 'TICKET_SLA_AT_RISK') THEN 'SLA_BREACH'
                ELSE 'ESCALATION' END::public."NotificationType",
           n.title, n.body,
           (SELECT t.id FROM public.tickets t WHERE n.entity = 'ticket' AND t.id = n.entity_id),
           n.created_at AT TIME ZONE 'UTC', n.created_at AT TIME ZONE 'UTC'
    FROM inserted n
    JOIN public.users u ON u.id = n.recipient_id
    WHERE n.recipient_kind = 'USER' AND n.channel = 'IN_APP' AND n.status = 'SENT'
    ORDER BY n.id
    FOR KEY SHARE OF u;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION rounds.tell_helpdesk_of_notices() FROM PUBLIC;
CREATE TRIGGER tell_helpdesk AFTER INSERT ON rounds.notifications REFERENCING NEW TABLE AS inserted
FOR EACH STATEMENT EXECUTE FUNCTION rounds.tell_helpdesk_of_notices();

COMMIT;

-- 3. Indexes on the application's tables, without which each scan reads all of them. On a live system write CREATE
-- INDEX CONCURRENTLY, and add them to a migration of the application, so that its next one does not drop them.

-- The open tickets: the expression is that of the view. The statistics tell the planner how few they are.
CREATE INDEX rounds_tickets_open ON public.tickets (id)
    WHERE CASE status WHEN 'OPEN' THEN 'OPEN'
                      WHEN 'IN_PROGRESS' THEN 'IN_PROGRESS'
                      WHEN 'WAITING_FOR_CUSTOMER' THEN 'WAITING'
                      WHEN 'RESOLVED' THEN 'RESOLVED'
                      WHEN 'CLOSED' THEN 'CLOSED'
                      ELSE 'OTHER' END NOT IN ('RESOLVED', 'CLOSED');
CREATE STATISTICS rounds.tickets_status
    ON (CASE status WHEN 'OPEN' THEN 'OPEN'
                    WHEN 'IN_PROGRESS' THEN 'IN_PROGRESS'
                    WHEN 'WAITING_FOR_CUSTOMER' THEN 'WAITING'
                    WHEN 'RESOLVED' THEN 'RESOLVED'
                    WHEN 'CLOSED' THEN 'CLOSED'
                    ELSE 'OTHER' END)
    FROM public.tickets;
ANALYZE public.tickets;
-- The last response to a ticket, its last change of status, the members of a team.
CREATE INDEX rounds_comments_public ON public.comments ("ticketId", "createdAt" DESC) WHERE NOT "isInternal";
CREATE INDEX rounds_ticket_history_status ON public.ticket_history ("ticketId", "createdAt" DESC)
    WHERE action = 'status_changed';
CREATE INDEX rounds_users_team ON public.users ("teamId");
