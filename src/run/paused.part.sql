-- The message that a lane is paused, or NULL if it is not. A pause whose end has passed counts no more; of several the
-- first counts. A pause of a lane is one of its runs for one facility, too. Without the reason, which is free text.
-- The caller provides {job} and {lane}, expressions. It is an expression.
(SELECT format('paused by user %s since %s%s; `rounds health` says why, and `rounds resume %s --actor USER` ends it',
               p.paused_by, to_char(p.paused_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               ' until ' || to_char(p.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               COALESCE(NULLIF(concat_ws('-', p.job_name, p.lane), ''), '--all'))
 FROM pauses p
 WHERE p.resumed_at IS NULL AND (p.until IS NULL OR p.until > clock_timestamp())
   AND (p.job_name IS NULL OR p.job_name = {job})
   AND (p.lane IS NULL OR p.lane = {lane} OR starts_with({lane}, p.lane || ':facility:'))
 ORDER BY p.id LIMIT 1)
