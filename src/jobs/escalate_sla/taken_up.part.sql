-- Whether a person took case c up again less than $4 after its last escalation, by the case or by our audits. No column
-- says when that was, so the time counts from the escalation. What lies in the future counts as none. An expression in
-- parentheses.
-- escalated_at may be an instant in UTC without a zone.
-- $1 now timestamptz · $4 take-up grace, in seconds double precision or NULL
($4 IS NOT NULL AND c.status = 'IN_PROGRESS' AND c.escalation_level BETWEEN 1 AND 2
 AND (COALESCE(c.escalated_at > $1 - make_interval(secs => $4) AND c.escalated_at <= $1, false)
      OR EXISTS (SELECT FROM px_case_audits a
                 WHERE a.case_id = c.id::text AND a.action = 'ESCALATED'
                   AND a.created_at > $1 - make_interval(secs => $4) AND a.created_at <= $1)))
