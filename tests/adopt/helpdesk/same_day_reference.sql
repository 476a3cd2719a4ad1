-- The day of the document day.doc in the reference tables, without the checks that the application's do not have.

ALTER TABLE tickets DROP CONSTRAINT tickets_customer_rating_check, ALTER assignee_id SET NOT NULL;
ALTER TABLE sla_policies DROP CONSTRAINT sla_policies_resolution_minutes_check, ALTER resolution_minutes TYPE bigint;

INSERT INTO users (id, name, email, role, active) OVERRIDING SYSTEM VALUE
SELECT u.n, 'U', format('u%s@example.org', u.n), u.ours, u.active AND NOT u.deleted
FROM day, jsonb_to_recordset(doc -> 'users') AS u (n bigint, ours text, active boolean, deleted boolean);

INSERT INTO teams (id, name) OVERRIDING SYSTEM VALUE SELECT n, 'T' FROM generate_series(1, 5) n;
INSERT INTO team_members (team_id, user_id, is_leader)
SELECT (l ->> 0)::bigint, (l ->> 1)::bigint, true FROM day, jsonb_array_elements(doc -> 'leaders') AS l;
INSERT INTO team_members (team_id, user_id)
SELECT u.team, u.n FROM day, jsonb_to_recordset(doc -> 'users') AS u (n bigint, team bigint) WHERE u.team IS NOT NULL
ON CONFLICT DO NOTHING;

INSERT INTO notification_preferences (user_id, email, in_app)
SELECT p.n, p.email AND p.breach, p.app AND p.breach
FROM day, jsonb_to_recordset(doc -> 'preferences') AS p (n bigint, email boolean, app boolean, breach boolean);

INSERT INTO sla_policies (priority, resolution_minutes, active, created_at)
SELECT p ->> 'priority', (p ->> 'hours')::bigint * 60, (p ->> 'active')::boolean,
       timestamptz '2026-01-01' + n * interval '1 day'
FROM day, jsonb_array_elements(doc -> 'policies') WITH ORDINALITY AS p (p, n);

INSERT INTO tickets (id, number, title, status, status_changed_at, priority, created_by, assignee_id, team_id,
                     sla_due_at, custom_sla_due_at, customer_rating, created_at, updated_at) OVERRIDING SYSTEM VALUE
SELECT t.n, t.n, 't', CASE t.status WHEN 'WAITING_FOR_CUSTOMER' THEN 'WAITING' ELSE t.status END,
       COALESCE((SELECT max(at::timestamptz) FROM jsonb_array_elements_text(t.changes) at), t.created), t.priority,
       t.creator, t.assignee, t.team, t.due, t.custom, t.rating, t.created, '2026-01-01'
FROM day, jsonb_to_recordset(doc -> 'tickets')
     AS t (n bigint, status text, priority text, creator bigint, assignee bigint, team bigint, due timestamptz,
           custom timestamptz, rating integer, created timestamptz, changes jsonb);

INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
SELECT c.ticket, c.author, 'c', NOT c.internal AND c.author IS DISTINCT FROM (t ->> 'customer')::bigint, c.at
FROM day, jsonb_array_elements(doc -> 'tickets') AS t,
     jsonb_to_recordset(t -> 'comments') AS c (ticket bigint, author bigint, internal boolean, at timestamptz);

INSERT INTO ticket_followers (ticket_id, user_id)
SELECT (t ->> 'n')::bigint, f::bigint
FROM day, jsonb_array_elements(doc -> 'tickets') AS t, jsonb_array_elements_text(t -> 'followers') AS f;

INSERT INTO escalation_rules (id, name, position, active, condition_type, condition, action_type, action)
OVERRIDING SYSTEM VALUE
SELECT r.n, 'R', r.n, r.active, r.condition_type, r.ours, r.action_type, r.our_action
FROM day, jsonb_to_recordset(doc -> 'rules')
     AS r (n integer, active boolean, condition_type text, ours jsonb, action_type text, our_action jsonb);
