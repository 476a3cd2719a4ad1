-- The WHERE clause for rows of the ledger of cancellations that are long over: when the visit was seen cancelled, and when
-- the row ended or else the visit, are old. The row BEGAN has no visit, and stays.
-- The caller provides the relation x, a row of visit_cancellations. It ends inside the WHERE: continue with AND.
-- $1 the instant before which ended runs are deleted timestamptz
WHERE x.appointment_id IS NOT NULL AND x.seen_at < $1
  -- A local time is at most 14 hours from UTC.
  AND COALESCE(x.ended_at, x.visit_start AT TIME ZONE 'UTC' + interval '1 day', x.seen_at) < $1
