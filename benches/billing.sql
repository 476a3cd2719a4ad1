-- Surgical cases for the benchmark of `advance-billing`. psql variables: due, how many are submitted; there are four
-- more cases for each, on their way or closed. as_of, the instant of the run.
INSERT INTO facilities (name, time_zone) SELECT 'F' || n, 'America/Denver' FROM generate_series(1, 20) n;
INSERT INTO patients (mrn, first_name, last_name, phone)
SELECT 'M' || n, 'P', 'Q', '+1555' FROM generate_series(1, 50000) n;
INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount, active, billable_ts, submitted_ts,
                            pending_payment_ts, created_ts, updated_ts)
SELECT 1 + n % 20, 1 + n % 50000, (ARRAY[10, 15, 20, 40, 500])[1 + n % 5], 100 + n % 900000 * 0.01, n % 5 = 0 OR n % 50 <> 7,
       at - interval '20 days', at - interval '10 days', CASE WHEN n % 5 > 0 THEN at - interval '3 days' END, at, at
FROM generate_series(1, 5 * :due) n, LATERAL (SELECT :'as_of'::timestamptz - interval '1 minute' * (n % 5000) AS at) a;
-- The changes of the job in the past.
INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, created_at)
SELECT id::text, 10, 15, 'system', '00000000-0000-4000-8000-000000000000', pending_payment_ts FROM surgical_cases
WHERE case_status >= 15 ORDER BY pending_payment_ts;
VACUUM (ANALYZE);
