-- Joins that add notice (channel, wanted) to a user: in the application unless they refuse it, and by e-mail if they
-- want it and have an address.
-- The caller provides the relation u, a row of users. It begins with LEFT JOIN, so it follows FROM; continue with WHERE
-- notice.wanted.
LEFT JOIN notification_preferences preference ON preference.user_id = u.id
CROSS JOIN LATERAL (VALUES
    ('IN_APP', COALESCE(preference.in_app, true)),
    ('EMAIL', COALESCE(preference.email, false) AND u.email IS NOT NULL)
) AS notice (channel, wanted)
