-- What became of the reminders of the chapter.
SELECT 'patient ' || n.recipient_id AS "to", n.channel, n.status, COALESCE(n.reason, '') AS "reason",
       (CASE n.recipient_id WHEN '9031' THEN 'the provider has taken it' WHEN '9032' THEN 'wants no SMS'
                            ELSE 'has no phone' END) AS "because"
FROM notifications n WHERE n.type = 'LAB_READY' ORDER BY n.recipient_id
