-- The day of the document day.doc in the application's tables. Instants are in UTC.

INSERT INTO public.roles (id, name, "updatedAt")
SELECT k(n), name, '2026-01-01'
FROM unnest(ARRAY['Admin/Manager', 'Team Leader', 'User/Employee', 'Auditor']) WITH ORDINALITY AS r (name, n);
INSERT INTO public.teams (id, name, "updatedAt") SELECT k(n), 'T' || n, '2026-01-01' FROM generate_series(1, 5) n;

INSERT INTO public.users (id, email, password, "roleId", "teamId", "isActive", "isDeleted", "updatedAt")
SELECT k(u.n), format('u%s@example.org', u.n), 'x', (SELECT r.id FROM public.roles r WHERE r.name = u.role), k(u.team),
       u.active, u.deleted, '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'users')
     AS u (n bigint, role text, team bigint, active boolean, deleted boolean);
INSERT INTO public.team_leaders (id, "teamId", "userId", "updatedAt")
SELECT k((l ->> 0)::bigint), k((l ->> 0)::bigint), k((l ->> 1)::bigint), '2026-01-01'
FROM day, jsonb_array_elements(doc -> 'leaders') AS l;

INSERT INTO public.notification_preferences (id, "userId", "emailEnabled", "inAppEnabled", "notifyOnSLABreach",
                                             "updatedAt")
SELECT k(p.n), k(p.n), p.email, p.app, p.breach, '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'preferences') AS p (n bigint, email boolean, app boolean, breach boolean);

INSERT INTO public.sla_policies (id, name, priority, "responseTimeHours", "resolutionTimeHours", "isActive",
                                 "createdAt", "updatedAt")
SELECT k(n), 'P', (p ->> 'priority')::public."TicketPriority", 1, (p ->> 'hours')::integer, (p ->> 'active')::boolean,
       timestamp '2026-01-01' + n * interval '1 day', '2026-01-01'
FROM day, jsonb_array_elements(doc -> 'policies') WITH ORDINALITY AS p (p, n);

INSERT INTO public.tickets (id, "ticketNumber", title, description, status, priority, "customerId", "createdBy",
                            "assignedTo", "teamId", "slaDueAt", "customSlaDueAt", "createdAt", "updatedAt")
SELECT k(t.n), t.n, 't', 'd', t.status, t.priority, k(t.customer), k(t.creator), k(t.assignee), k(t.team),
       t.due AT TIME ZONE 'UTC', t.custom AT TIME ZONE 'UTC', t.created AT TIME ZONE 'UTC', '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'tickets')
     AS t (n bigint, status public."TicketStatus", priority public."TicketPriority", customer bigint, creator bigint,
           assignee bigint, team bigint, due timestamptz, custom timestamptz, created timestamptz);
-- The changes of its status, and another one, which is none.
INSERT INTO public.ticket_history (id, "ticketId", "userId", action, "fieldName", "createdAt")
SELECT gen_random_uuid()::text, k((t ->> 'n')::bigint), k(1), action, 'status', at::timestamptz AT TIME ZONE 'UTC'
FROM day, jsonb_array_elements(doc -> 'tickets') AS t,
     LATERAL (SELECT 'status_changed' AS action, jsonb_array_elements_text(t -> 'changes') AS at
              UNION ALL SELECT 'comment_added', '2026-03-02T11:59:00Z') h;
INSERT INTO public.ticket_feedback (id, "ticketId", "customerId", rating, "updatedAt")
SELECT k(t.n), k(t.n), k(6), t.rating, '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'tickets') AS t (n bigint, rating integer) WHERE t.rating IS NOT NULL;

INSERT INTO public.comments (id, content, "ticketId", "authorId", "isInternal", "createdAt", "updatedAt")
SELECT gen_random_uuid()::text, 'c', k(c.ticket), k(c.author), c.internal, c.at AT TIME ZONE 'UTC', '2026-01-01'
FROM day, jsonb_array_elements(doc -> 'tickets') AS t,
     jsonb_to_recordset(t -> 'comments') AS c (ticket bigint, author bigint, internal boolean, at timestamptz);

INSERT INTO public.ticket_followers (id, "ticketId", "userId", "updatedAt")
SELECT gen_random_uuid()::text, k((t ->> 'n')::bigint), k(f::bigint), '2026-01-01'
FROM day, jsonb_array_elements(doc -> 'tickets') AS t, jsonb_array_elements_text(t -> 'followers') AS f;

INSERT INTO public.escalation_rules (id, name, "conditionType", "conditionValue", "actionType", "actionConfig",
                                     "isActive", "createdAt", "updatedAt")
SELECT k(r.n), 'R', r.condition_type, r.theirs, r.action_type, r.their_action, r.active,
       timestamp '2026-01-01' + r.n * interval '1 s', '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'rules')
     AS r (n integer, active boolean, condition_type text, theirs jsonb, action_type text, their_action jsonb);
