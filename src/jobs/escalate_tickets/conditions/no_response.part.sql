-- The condition no_response: ticket t has had no comment that the customer can see for $4 hours; without any comment
-- the hours count from its creation.
-- The caller (due.part.sql, ended.part.sql) puts the condition into parentheses.
NOT EXISTS (SELECT FROM ticket_comments c
            WHERE c.ticket_id = t.id AND c.visible_to_customer AND c.created_at > $1 - make_interval(secs => $4 * 3600))
AND (t.created_at <= $1 - make_interval(secs => $4 * 3600)
     OR EXISTS (SELECT FROM ticket_comments c WHERE c.ticket_id = t.id AND c.visible_to_customer))
