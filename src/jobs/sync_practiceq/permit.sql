-- Counts a request that may be sent now. Else says when it may be: a limit is reached until the request that makes it
-- full is older than its window, which is 62 s or 24 h and a minute. A request or a pause from before the clock was put
-- back lies in the future, and does not count. The caller holds the account's row of api_budgets.
-- $1 requests a minute bigint · $2 a day bigint · $3, $4 the same for scheduled runs bigint
-- $5 whether a person waits boolean · $6 purpose text · $7 run id uuid
-- $8 requests a day because of events bigint; NULL: it is not because of one
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
recent AS MATERIALIZED (
    SELECT r.requested_at, row_number() OVER (ORDER BY r.requested_at DESC) AS nth, r.manual,
           row_number() OVER (PARTITION BY r.manual ORDER BY r.requested_at DESC) AS nth_of_its_kind, r.event,
           row_number() OVER (PARTITION BY r.event ORDER BY r.requested_at DESC) AS nth_of_events
    FROM api_requests r CROSS JOIN clock
    WHERE r.account = 'practiceq' AND r.requested_at > clock.now - interval '24 hours 1 minute'
      AND {request_has_passed}
),
limits AS MATERIALIZED (
    SELECT requested_at + interval '62 seconds' AS free_at FROM recent WHERE nth = $1
    UNION ALL
    SELECT requested_at + interval '24 hours 1 minute' FROM recent WHERE nth = $2
    UNION ALL
    SELECT requested_at + interval '62 seconds' FROM recent WHERE nth_of_its_kind = $3 AND NOT manual AND NOT $5
    UNION ALL
    SELECT requested_at + interval '24 hours 1 minute' FROM recent WHERE nth_of_its_kind = $4 AND NOT manual AND NOT $5
    UNION ALL
    SELECT requested_at + interval '24 hours 1 minute' FROM recent WHERE nth_of_events = $8 AND event
),
-- A pause that the account asked for, which is at most a day.
pause AS MATERIALIZED (
    SELECT CASE WHEN {pause_has_begun} THEN blocked_until ELSE '-infinity' END AS free_at
    FROM api_budgets CROSS JOIN clock WHERE account = 'practiceq'
),
free AS MATERIALIZED (
    SELECT greatest((SELECT max(free_at) FROM limits), pause.free_at) AS at, pause.free_at > clock.now AS is_paused
    FROM pause CROSS JOIN clock
),
counted AS (
    INSERT INTO api_requests (account, requested_at, manual, purpose, run_id, event)
    SELECT 'practiceq', clock.now, $5, $6, $7, $8 IS NOT NULL FROM clock CROSS JOIN free WHERE free.at <= clock.now
    RETURNING requested_at
)
SELECT (SELECT requested_at FROM counted) AS counted_at, free.is_paused,
       CASE WHEN isfinite(free.at) THEN ceil(EXTRACT(epoch FROM free.at - clock.now) * 1000)::bigint ELSE 0 END
           AS wait_ms
FROM free CROSS JOIN clock
