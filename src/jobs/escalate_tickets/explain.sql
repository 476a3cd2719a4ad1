-- Returns of a rule and a ticket: whether the rule would fire, whether its condition holds, its episode if there is one,
-- whether that has ended, and the instants at which the condition may begin to hold.
-- $1 to $9 are the parameters of due.part.sql · $10 id of the ticket, a key · $11 the same as text
-- The caller provides the condition with its joins, and those instants as an array.
SELECT EXISTS (SELECT FROM tickets t
               {due} AND t.id = $10) AS due,
       judged.holds, judged.begins, e.fired_at, e.refused_at,
       -- Whether the episode is one of the rule as it is now, for which it does not fire again.
       e.definition = $9 AND e.refused_at IS NULL
           AND COALESCE(e.fired_at > $1 - make_interval(secs => $8 * 3600), true) AS has_fired,
       e.fired_at + make_interval(secs => $8 * 3600) AS cooled_at,
       e.rule_id IS NOT NULL AND EXISTS (SELECT FROM tickets t
                                         {ended} AND t.id = $10) AS ended
FROM (
    SELECT COALESCE(({holds}), false) AS holds, {begins} AS begins
    FROM tickets t
    {joins}
    WHERE t.id = $10
) judged
LEFT JOIN escalation_episodes e ON e.rule_id = $2 AND e.ticket_id = $11
