-- Whether a comment c of ticket t is of the staff. An expression in parentheses.
(c.author_id IS NOT NULL
 AND (c.author_id IS DISTINCT FROM t.created_by OR c.author_id = t.assignee_id
      OR EXISTS (SELECT FROM team_members m WHERE m.team_id = t.team_id AND m.user_id = c.author_id)))
