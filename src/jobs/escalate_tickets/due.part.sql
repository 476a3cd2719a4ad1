-- The WHERE clause of the rule: the ticket is open, the condition holds, and this definition of the rule has not fired
-- in this episode, or its cooldown has passed, or its action was refused, which is tried again by each run.
-- {look_up} is empty, or for a batch OFFSET 0: each episode is looked up by its key. Otherwise the planner, without
-- statistics of the episodes that this run has written, would compare each ticket with each of them.
-- The caller provides the relation t, a row of tickets, with the joins that the condition needs; and the condition. It
-- ends inside the WHERE: continue with AND.
-- $1 now timestamptz · $2 id of the rule text · $3 its condition_type text · $4 hours double precision or NULL
-- $5 statuses or priorities text[] or NULL · $6 rating int or NULL · $7 operator text or NULL
-- $8 cooldown in hours double precision or NULL · $9 its definition text
WHERE t.status NOT IN ('RESOLVED', 'CLOSED')
  AND ({holds})
  AND NOT EXISTS (SELECT FROM escalation_episodes e
                  WHERE e.rule_id = $2 AND e.ticket_id = t.id::text AND e.definition = $9
                    AND e.refused_at IS NULL AND COALESCE(e.fired_at > $1 - make_interval(secs => $8 * 3600), true){look_up})
