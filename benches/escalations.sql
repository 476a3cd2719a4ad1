-- Cases and tickets for the benchmarks of the escalations.
-- psql variables: cases, how many in all; due, how many of them are overdue and open; tickets, how many are open, and as
-- many closed; as_of, the instant of the runs.
SELECT setseed(0.5);
INSERT INTO facilities (name, time_zone) SELECT 'F' || n, 'America/Denver' FROM generate_series(1, 20) n;
INSERT INTO departments (facility_id, name) SELECT f.id, 'D' || n FROM facilities f, generate_series(1, 10) n ORDER BY f.id, n;
INSERT INTO users (facility_id, name, role, email)
SELECT 1 + n % 20, 'U' || n, 'AGENT', 'u' || n || '@example.org' FROM generate_series(1, 400) n;
-- One for each facility is told of the cases without a department.
INSERT INTO users (facility_id, name, role, email)
SELECT n, 'M' || n, 'MANAGER', 'm' || n || '@example.org' FROM generate_series(1, 20) n;
INSERT INTO teams (name) SELECT 'T' || n FROM generate_series(1, 40) n;
INSERT INTO team_members (team_id, user_id, is_leader) SELECT 1 + n % 40, n, n <= 40 FROM generate_series(1, 400) n;

INSERT INTO px_cases (facility_id, status, severity, description, assigned_department_id, sla_minutes, due_at, created_at,
                      escalation_level, escalated_at, active)
SELECT facility, status, 'MEDIUM', 'Complaint ' || n, CASE WHEN n % 7 <> 0 THEN (facility - 1) * 10 + 1 + n % 10 END, 60,
       CASE WHEN due OR n % 3 = 0 THEN :'as_of'::timestamptz - interval '1 minute' * (1 + n % 5000)
            ELSE :'as_of'::timestamptz + interval '1 minute' * (n % 5000) END,
       :'as_of'::timestamptz - interval '30 days', CASE status WHEN 'ESCALATED' THEN 1 ELSE 0 END,
       CASE status WHEN 'ESCALATED' THEN :'as_of'::timestamptz - interval '1 day' END, CASE WHEN n % 2 = 0 THEN true END
FROM generate_series(1, :cases) n,
     LATERAL (SELECT n % (:cases / :due) = 0 AS due, 1 + n % 20 AS facility) a,
     LATERAL (SELECT CASE WHEN due THEN 'OPEN' WHEN n % 3 = 0 THEN 'CLOSED' WHEN n % 3 = 1 THEN 'OPEN' ELSE 'IN_PROGRESS' END
              AS status) b;

INSERT INTO tickets (number, title, status, status_changed_at, priority, team_id, assignee_id, sla_due_at, customer_rating,
                     created_at)
SELECT 'T' || n, 'Ticket ' || n, CASE WHEN n % 2 = 0 THEN 'CLOSED' ELSE (ARRAY['OPEN', 'IN_PROGRESS', 'WAITING'])[1 + n % 3] END,
       :'as_of'::timestamptz - interval '1 hour' * (random() * 1000), (ARRAY['LOW', 'MEDIUM', 'HIGH', 'URGENT'])[1 + n % 4],
       1 + n % 40, 1 + n % 400, :'as_of'::timestamptz - interval '1 hour' * (random() * 1000),
       CASE WHEN random() < 0.25 THEN 1 + (random() * 4)::int END, :'as_of'::timestamptz - interval '60 days'
FROM generate_series(1, 2 * :tickets) n;
INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
SELECT id, assignee_id, 'Comment', true, :'as_of'::timestamptz - interval '1 hour' * (random() * 1000) FROM tickets;

-- Twenty rules, each of which about one open ticket in twenty meets.
INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
SELECT 'R' || n, n, c.type, c.condition, a.type, a.action
FROM generate_series(1, 20) n
CROSS JOIN LATERAL (SELECT * FROM (VALUES
    (0, 'no_response', jsonb_build_object('hours', 950)),
    (1, 'time_in_status', jsonb_build_object('status', (ARRAY['OPEN', 'IN_PROGRESS', 'WAITING'])[1 + n % 3], 'hours', 850)),
    (2, 'sla_breach', jsonb_build_object('thresholdHours', 950)),
    (3, 'customer_rating', jsonb_build_object('rating', 1 + n % 5, 'operator', '='))
) AS c (number, type, condition) WHERE c.number = n % 4) c
CROSS JOIN LATERAL (SELECT * FROM (VALUES
    (0, 'add_follower', jsonb_build_object('userIds', jsonb_build_array(n))),
    (1, 'notify_manager', '{"message": "Please look at this ticket."}'::jsonb),
    (2, 'reassign_ticket', jsonb_build_object('teamId', 1 + n)),
    (3, 'send_email', '{"recipients": ["desk@example.org"], "subject": "Escalated", "message": "Please look."}'::jsonb)
) AS a (number, type, action) WHERE a.number = (n / 4) % 4) a;
VACUUM (ANALYZE);
