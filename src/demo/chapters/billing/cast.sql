-- Three surgical cases on their way to being paid.
INSERT INTO patients (id, mrn, first_name, last_name)
OVERRIDING SYSTEM VALUE
VALUES (9001, 'MRN-9001', 'Adelma', 'Abernale'), (9002, 'MRN-9002', 'Bastien', 'Brackwell'),
       (9003, 'MRN-9003', 'Corwin', 'Cinderfoot');

INSERT INTO surgical_cases (id, facility_id, patient_id, case_status, pay_amount, active, submitted_ts,
                            pending_payment_ts, created_ts, updated_ts)
OVERRIDING SYSTEM VALUE
VALUES (501, 1, 9001, 10, 1250.00, true, {now} - interval '3 days', NULL, {now} - interval '9 days',
        {now} - interval '3 days'),
       (502, 1, 9002, 15, 980.50, true, {now} - interval '6 days', {now} - interval '2 days', {now} - interval '12 days',
        {now} - interval '2 days'),
       (503, 1, 9003, 10, 400.00, false, {now} - interval '4 days', NULL, {now} - interval '9 days',
        {now} - interval '4 days');
