-- The condition no_response: the staff have written nothing that the customer can see in ticket t for $4 hours; if they
-- never have, the hours count from its creation. A comment without an author is the customer's, and so is one of who
-- made the ticket, unless it is assigned to them or to a team of theirs.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
NOT EXISTS (SELECT FROM ticket_comments c
            WHERE c.ticket_id = t.id AND c.visible_to_customer AND c.created_at > $1 - make_interval(secs => $4 * 3600)
              AND {by_staff})
AND (t.created_at <= $1 - make_interval(secs => $4 * 3600)
     OR EXISTS (SELECT FROM ticket_comments c WHERE c.ticket_id = t.id AND c.visible_to_customer AND {by_staff}))
