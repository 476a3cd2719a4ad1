-- Returns the tickets for which a rule fires; first those for which its action was not refused before in this episode.
-- $1 to $9 are the parameters of due.part.sql · $10 limit bigint
-- $11 only of this facility, a key or NULL
SELECT found.id::text AS id, found.is_refused
FROM (SELECT t.id,
             EXISTS (SELECT FROM escalation_episodes e
                     WHERE e.rule_id = $2 AND e.ticket_id = t.id::text AND e.definition = $9
                       AND e.refused_at IS NOT NULL) AS is_refused
      FROM tickets t
      {due}
      AND (t.facility_id = $11 OR $11 IS NULL)
      AND t.id IS NOT NULL
      ORDER BY is_refused, t.id LIMIT $10) found
