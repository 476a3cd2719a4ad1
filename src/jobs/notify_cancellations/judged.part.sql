-- A join that adds to a cancelled visit `judged` (cancelled_at, ends_at, is_last_minute, untold): when it was
-- cancelled, when it would be over, whether at most 24 hours were left, and why nobody is told, or NULL.
-- BEFORE: it was cancelled before the ledger began. PAST: it had begun by then, or it is over now. BY_DOCTOR: its
-- doctor cancelled it, and knows.
-- A clock of the application that is ahead makes it cancelled now. Hours are elapsed time, also across a clock change.
-- It follows seen.part.sql. The caller provides the expressions of the latest end of its slots by the facility's clock,
-- and of the doctor's slot length. Continue with a join or WHERE.
-- $1 now timestamptz · $5 when the ledger began timestamptz, or NULL: with this run
CROSS JOIN LATERAL (
    SELECT LEAST(said.of_clinic, $1) AS cancelled_at,
           GREATEST(COALESCE(({slot_ends}) AT TIME ZONE tz.zone,
                             visit.starts_at + make_interval(mins => {slot_length})), visit.starts_at) AS ends_at,
           CASE WHEN $5 IS NULL THEN COALESCE(said.of_clinic < $1, true)
                ELSE COALESCE(said.of_clinic < $5, false) END AS is_before
) times
CROSS JOIN LATERAL (
    SELECT times.cancelled_at, times.ends_at,
           visit.starts_at - times.cancelled_at <= interval '24 hours' AS is_last_minute,
           CASE WHEN times.is_before THEN 'BEFORE'
                WHEN visit.starts_at < times.cancelled_at OR times.ends_at <= $1 THEN 'PAST'
                WHEN a.cancelled_by = d.user_id THEN 'BY_DOCTOR' END AS untold
) judged
