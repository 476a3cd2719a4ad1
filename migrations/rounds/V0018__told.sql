-- What shows that somebody was told of a change.
ALTER TABLE stage_alerts ADD COLUMN told_at timestamptz;
ALTER TABLE ticket_history ADD COLUMN told_at timestamptz;
ALTER TABLE px_case_audits ADD COLUMN told_at timestamptz;

COMMENT ON COLUMN notifications.address IS
    'The e-mail address, or the name of an endpoint of webhooks, never a URL; NULL but for ADDRESS.';
COMMENT ON COLUMN no_show_logs.notification_sent IS
    'Whether a provider has accepted an SMS or an e-mail to the patient. A notice in the application alone leaves it '
    'false.';
COMMENT ON COLUMN stage_alerts.told_at IS
    'When somebody was first told: in the application at once, else when a provider accepted the message; NULL: nobody.';
COMMENT ON COLUMN ticket_history.told_at IS
    'When somebody was first told of it: in the application at once, else when a provider accepted the message; NULL: '
    'nobody.';
COMMENT ON COLUMN px_case_audits.told_at IS
    'When somebody was first told of it: in the application at once, else when a provider accepted the message; NULL: '
    'nobody.';
