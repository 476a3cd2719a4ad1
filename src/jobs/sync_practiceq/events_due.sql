-- The appointments of the events that wait, those that wait longest first, each with its events. One that was asked for
-- because of an event within the last minute waits until that is over: many events of one are one request. One that was
-- asked for in vain waits for its next try, whatever comes.
-- $1 how many bigint
WITH
clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
)
SELECT i.external_id, array_agg(i.id) AS events
FROM practiceq_inbox i CROSS JOIN clock
WHERE i.done_at IS NULL
  AND NOT EXISTS (SELECT FROM practiceq_inbox d
                  WHERE d.external_id = i.external_id AND d.done_at IS NOT NULL
                    AND d.asked_at > clock.now - interval '1 minute' AND {has_passed})
GROUP BY i.external_id
-- The next try is an hour away at most: what is further off is from before the clock was put back.
HAVING bool_or(i.next_try_at BETWEEN clock.now AND clock.now + interval '1 hour') IS NOT TRUE
ORDER BY min(i.id)
LIMIT $1
