-- Notes that an appointment was asked for in vain, or its answer could not be stored. The next try is a minute away, and
-- twice as long after each further one, at most an hour.
-- $1 external id text
UPDATE practiceq_inbox
SET tries = tries + 1, next_try_at = clock_timestamp() + least(interval '1 minute' * 2 ^ least(tries, 6), interval '1 hour')
WHERE external_id = $1 AND done_at IS NULL
