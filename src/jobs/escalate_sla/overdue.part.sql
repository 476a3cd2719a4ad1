-- The WHERE clause for overdue cases: open ones, and with $3 also those that are still overdue after their escalation.
-- The caller provides the relation c, a row of px_cases. It ends inside the WHERE: continue with AND.
-- due_at and escalated_at may be instants without a zone, in UTC: the plain column is compared, so that an index serves.
-- $1 now timestamptz · $2 facility, a key or NULL · $3 re-escalate after, in seconds double precision or NULL
WHERE c.active IS NOT FALSE
  AND c.due_at < $1
  AND (c.facility_id = $2 OR $2 IS NULL)
  AND (c.status IN ('OPEN', 'IN_PROGRESS')
       OR ($3 IS NOT NULL AND c.status = 'ESCALATED' AND c.escalation_level < 3
           AND c.escalated_at <= $1 - make_interval(secs => $3)))
