-- Four complaints of patients, of which two are overdue and can be raised.
INSERT INTO departments (id, facility_id, name)
OVERRIDING SYSTEM VALUE VALUES (11, 1, 'Patient relations');

INSERT INTO users (id, facility_id, name, role)
OVERRIDING SYSTEM VALUE VALUES (201, 2, 'Manager of Mesa', 'MANAGER');

INSERT INTO px_cases (id, facility_id, status, severity, assigned_department_id, due_at, escalation_level, created_at,
                      updated_at)
OVERRIDING SYSTEM VALUE
VALUES (301, 1, 'OPEN', 'HIGH', 11, {now} - interval '90 minutes', 0, {now} - interval '2 days', {now} - interval '1 day'),
       (302, 2, 'IN_PROGRESS', 'MEDIUM', NULL, {now} - interval '26 hours', 1, {now} - interval '5 days',
        {now} - interval '1 day'),
       (303, 1, 'OPEN', 'LOW', 11, {now} + interval '30 minutes', 0, {now} - interval '1 day', {now} - interval '1 day'),
       (304, 1, 'OPEN', 'CRITICAL', 11, {now} - interval '9 days', 3, {now} - interval '12 days',
        {now} - interval '2 days');
