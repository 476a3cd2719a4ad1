-- Joins that add notice (channel, wanted) to a user: in the application unless they refuse it, and by e-mail if they
-- want it and have an address. A HIGH notice is always in the application, too. Who has no row, or NULL in it, is told
-- in the application only.
-- The caller provides the relation u, a row of users, and the expressions of the priority and of having an address. It
-- begins with LEFT JOIN, so it follows FROM; continue with WHERE notice.wanted.
LEFT JOIN notification_preferences preference ON preference.user_id = u.id
CROSS JOIN LATERAL (VALUES
    ('IN_APP', {priority} = 'HIGH' OR COALESCE(preference.in_app, true)),
    ('EMAIL', COALESCE(preference.email, false) AND {has_email})
) AS notice (channel, wanted)
