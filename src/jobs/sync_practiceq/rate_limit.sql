-- Whether a request may be sent now: then it is counted here. Else when: each limit is met as long as the request that makes it
-- full lies in its window, 62 s or 24 h and a minute. The account's row of api_budgets is locked.
-- $1 requests a minute bigint · $2 a day bigint · $3, $4 the same for scheduled runs bigint · $5 whether a person waits boolean ·
-- $6 purpose text · $7 run id uuid
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
lately AS MATERIALIZED (
    SELECT r.requested_at, row_number() OVER (ORDER BY r.requested_at DESC) AS nth, r.manual,
           row_number() OVER (PARTITION BY r.manual ORDER BY r.requested_at DESC) AS nth_of_its_kind
    FROM api_requests r CROSS JOIN clock
    WHERE r.account = 'practiceq' AND r.requested_at > clock.now - interval '24 hours 1 minute'
),
limits AS MATERIALIZED (
    SELECT requested_at + interval '62 seconds' AS free_at FROM lately WHERE nth = $1
    UNION ALL
    SELECT requested_at + interval '24 hours 1 minute' FROM lately WHERE nth = $2
    UNION ALL
    SELECT requested_at + interval '62 seconds' FROM lately WHERE nth_of_its_kind = $3 AND NOT manual AND NOT $5
    UNION ALL
    SELECT requested_at + interval '24 hours 1 minute' FROM lately WHERE nth_of_its_kind = $4 AND NOT manual AND NOT $5
),
blocked AS MATERIALIZED (
    SELECT least(coalesce(blocked_until, '-infinity'), clock.now + interval '1 day') AS free_at FROM api_budgets CROSS JOIN clock WHERE account = 'practiceq'
),
free AS MATERIALIZED (
    SELECT greatest((SELECT max(free_at) FROM limits), blocked.free_at) AS at, blocked.free_at > clock.now AS is_blocked
    FROM blocked CROSS JOIN clock
),
counted AS (
    INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
    SELECT 'practiceq', clock.now, $5, $6, $7 FROM clock CROSS JOIN free WHERE free.at <= clock.now
    RETURNING requested_at
)
SELECT (SELECT requested_at FROM counted) AS asked_at, free.is_blocked,
       CASE WHEN isfinite(free.at) THEN ceil(EXTRACT(epoch FROM free.at - clock.now) * 1000)::bigint ELSE 0 END AS wait_ms
FROM free CROSS JOIN clock
