-- The number of new appointments on each of the last 30 days on which a sync ran, by the account's clock, the newest
-- day first.
-- $1 now timestamptz
SELECT (started_at AT TIME ZONE '{zone}')::date AS day, sum(appointments_new)::bigint AS appointments
FROM sync_logs
WHERE started_at > $1 - interval '30 days' AND started_at <= $1
GROUP BY 1 ORDER BY 1 DESC
