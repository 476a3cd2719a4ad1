-- The delivery of what is staged: attempts, the answers of providers, and the contacts that may not be written to.
ALTER TABLE notifications
    ADD COLUMN facility_id         text,
    ADD COLUMN locale              text,
    ADD COLUMN placeholders        jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN attempts            integer NOT NULL DEFAULT 0,
    ADD COLUMN next_attempt_at     timestamptz,
    ADD COLUMN sending_at          timestamptz,
    ADD COLUMN sending_run         uuid,
    ADD COLUMN reason              text,
    ADD COLUMN provider_id         text,
    ADD COLUMN provider_status     text,
    ADD COLUMN provider_asked_at   timestamptz,
    ADD COLUMN delivered_at        timestamptz,
    ADD COLUMN read_at             timestamptz,
    ADD COLUMN settled_by          text,
    ADD COLUMN put_back_at         timestamptz;
-- SENT means accepted by the provider. What it says later may be that nothing arrived: the message is FAILED then, and
-- keeps the instant at which it was accepted. The new rule allows more than the old one, which all rows fulfil.
ALTER TABLE notifications DROP CONSTRAINT notifications_check2;
ALTER TABLE notifications ADD CONSTRAINT notifications_sent_at
    CHECK (status = 'FAILED' OR (status = 'SENT') = (sent_at IS NOT NULL));
-- What is due of a channel, HIGH and NORMAL apart, oldest first. What waits is at its end.
DROP INDEX notifications_pending;
CREATE INDEX notifications_due ON notifications (channel, priority, (COALESCE(next_attempt_at, created_at)), id)
    WHERE status = 'PENDING';
-- What is under way or uncertain: few rows.
CREATE INDEX notifications_open ON notifications (channel, status) WHERE status IN ('SENDING', 'UNCERTAIN');
-- What a patient was sent of late, for the cap.
CREATE INDEX notifications_of_patients ON notifications (recipient_id, channel, sent_at)
    WHERE recipient_kind = 'PATIENT' AND channel <> 'IN_APP' AND status = 'SENT';
-- What a provider has accepted and may still say more about.
CREATE INDEX notifications_unconfirmed ON notifications (channel, COALESCE(provider_asked_at, sent_at))
    WHERE status = 'SENT' AND provider_id IS NOT NULL AND delivered_at IS NULL AND reason IS NULL;
-- Which message an id of the provider belongs to.
CREATE INDEX notifications_of_provider ON notifications (provider_id) WHERE provider_id IS NOT NULL;

CREATE TABLE contact_suppressions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel         text NOT NULL CHECK (channel IN ('SMS', 'EMAIL')),
    address         text NOT NULL,
    reason          text NOT NULL CHECK (reason IN ('OPTED_OUT', 'UNREACHABLE')),
    code            text NOT NULL,
    recipient_kind  text NOT NULL,
    recipient_id    text,
    notification_id bigint,
    created_at      timestamptz NOT NULL,
    lifted_at       timestamptz,
    lifted_by       text
);
CREATE UNIQUE INDEX contact_suppressions_in_force ON contact_suppressions (channel, address) WHERE lifted_at IS NULL;
CREATE INDEX contact_suppressions_of_recipients ON contact_suppressions (recipient_kind, recipient_id, channel)
    WHERE lifted_at IS NULL;

COMMENT ON COLUMN notifications.facility_id IS
    'The key of the facility whose clock and country count; NULL: UTC, and the country of --country.';
COMMENT ON COLUMN notifications.locale IS 'The language of the recipient, such as en; NULL: that of the templates.';
COMMENT ON COLUMN notifications.placeholders IS
    'What the template of the message fills in: ids, codes, dates and times. Names for IN_APP only.';
COMMENT ON COLUMN notifications.attempts IS 'How often it was sent, or tried to be.';
COMMENT ON COLUMN notifications.next_attempt_at IS 'Not before this instant; NULL: at once.';
COMMENT ON COLUMN notifications.sending_at IS 'When its last request was about to leave.';
COMMENT ON COLUMN notifications.sending_run IS 'The run that sent it last. Not a foreign key, as run_id.';
COMMENT ON COLUMN notifications.reason IS
    'A code: why it is FAILED, EXPIRED, SUPPRESSED or UNCERTAIN, or why its last attempt failed. SENT and UNCONFIRMED: '
    'the provider has not said within 24 hours that it arrived, and is not asked any more.';
COMMENT ON COLUMN notifications.sent_at IS
    'When the provider accepted it, or it was shown; NULL unless SENT, or FAILED after it was accepted.';
COMMENT ON COLUMN notifications.provider_id IS 'The id that the provider knows it by.';
COMMENT ON COLUMN notifications.provider_status IS 'What the provider said of it last, in the words of the provider.';
COMMENT ON COLUMN notifications.provider_asked_at IS
    'When the provider was asked about it last, or searched for it; NULL: not since it was sent.';
COMMENT ON COLUMN notifications.delivered_at IS 'When the provider first said that it has arrived; NULL: it did not.';
COMMENT ON COLUMN notifications.read_at IS 'When the recipient read it; the application of the clinic writes it.';
COMMENT ON COLUMN notifications.settled_by IS 'The key of the user who decided what became of it; NULL: nobody had to.';
COMMENT ON COLUMN notifications.put_back_at IS
    'When a person made it PENDING again: it counts as that old; NULL: nobody did.';
COMMENT ON TABLE contact_suppressions IS
    'Numbers and addresses that nobody may write to: the recipient has said so, or nothing arrives there. When the '
    'recipient or the user who lifted it is gone, the row is kept as evidence: another recipient may have the number.';
COMMENT ON COLUMN contact_suppressions.id IS 'The order of insertion.';
COMMENT ON COLUMN contact_suppressions.channel IS 'SMS or EMAIL.';
COMMENT ON COLUMN contact_suppressions.address IS 'The number in E.164, or the address in small letters.';
COMMENT ON COLUMN contact_suppressions.reason IS
    'OPTED_OUT: the recipient wants none. UNREACHABLE: the provider cannot deliver there.';
COMMENT ON COLUMN contact_suppressions.code IS 'The code of the provider, such as TWILIO_21610.';
COMMENT ON COLUMN contact_suppressions.recipient_kind IS 'The recipient of the message that showed it.';
COMMENT ON COLUMN contact_suppressions.recipient_id IS 'The key of the user or patient; NULL for ADDRESS.';
COMMENT ON COLUMN contact_suppressions.notification_id IS
    'The message that showed it. Not a foreign key: it may be pruned.';
COMMENT ON COLUMN contact_suppressions.created_at IS 'Since when.';
COMMENT ON COLUMN contact_suppressions.lifted_at IS 'Since when it counts no more; NULL: it counts.';
COMMENT ON COLUMN contact_suppressions.lifted_by IS 'The key of the user who lifted it.';
