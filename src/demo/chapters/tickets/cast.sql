-- Three tickets of the help desk, their people, and two rules of the clinic's own.
INSERT INTO users (id, facility_id, name, role, active)
OVERRIDING SYSTEM VALUE
VALUES (211, 1, 'Agent of Harbor', 'AGENT', true), (212, 1, 'Manager of Harbor', 'MANAGER', true),
       (213, 1, 'Agent who left', 'AGENT', false), (214, 1, 'Leader of the desk', 'AGENT', true);

INSERT INTO teams (id, name) OVERRIDING SYSTEM VALUE VALUES (21, 'Desk');
INSERT INTO team_members (team_id, user_id, is_leader) VALUES (21, 214, true);

INSERT INTO tickets (id, number, facility_id, title, status, priority, assignee_id, team_id, sla_due_at, created_at,
                     updated_at, status_changed_at)
OVERRIDING SYSTEM VALUE
VALUES (401, 'T-401', 1, 'A printer', 'IN_PROGRESS', 'HIGH', 211, 21, {now} + interval '30 minutes',
        {now} - interval '10 hours', {now} - interval '9 hours', {now} - interval '9 hours'),
       (402, 'T-402', 1, 'A badge', 'OPEN', 'MEDIUM', 213, NULL, {now} - interval '1 hour', {now} - interval '30 hours',
        {now} - interval '30 hours', {now} - interval '30 hours'),
       (403, 'T-403', 1, 'A chair', 'OPEN', 'LOW', 211, NULL, {now} + interval '20 hours', {now} - interval '1 hour',
        {now} - interval '1 hour', {now} - interval '1 hour');

INSERT INTO escalation_rules (id, name, position, condition_type, condition, action_type, action)
OVERRIDING SYSTEM VALUE
VALUES (31, 'Nobody has answered', 1, 'no_response', '{"hours": 4}', 'notify_manager',
        '{"message": "Nobody has answered for four hours."}'),
       (32, 'Too late', 2, 'sla_breach', '{"thresholdHours": 0}', 'increase_priority', '{}');
