-- Returns the requests to each account by day.
-- $1 beginning timestamptz · $2 end timestamptz · $3 the zone of the schedule text
SELECT b.account, (r.requested_at AT TIME ZONE $3)::date AS day, count(*) AS requests,
       count(*) FILTER (WHERE r.manual) AS by_hand, count(*) FILTER (WHERE r.event) AS of_events
FROM api_budgets b
JOIN api_requests r ON r.account = b.account AND r.requested_at >= $1 AND r.requested_at < $2
GROUP BY b.account, 2
ORDER BY b.account, 2
