-- For $4 hours no comment that the customer can see; without any, since it was filed.
NOT EXISTS (SELECT FROM ticket_comments c
            WHERE c.ticket_id = t.id AND c.visible_to_customer AND c.created_at > $1 - make_interval(secs => $4 * 3600))
AND (t.created_at <= $1 - make_interval(secs => $4 * 3600)
     OR EXISTS (SELECT FROM ticket_comments c WHERE c.ticket_id = t.id AND c.visible_to_customer))
