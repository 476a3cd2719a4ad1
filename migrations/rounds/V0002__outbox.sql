-- The outbox: jobs write here in the transaction of the change itself; something else delivers.
CREATE TABLE notifications (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient_kind text NOT NULL CHECK (recipient_kind IN ('USER', 'PATIENT', 'DEPARTMENT', 'ADDRESS')),
    recipient_id   text,
    address        text,
    channel        text NOT NULL CHECK (channel IN ('IN_APP', 'SMS', 'EMAIL', 'WEBHOOK')),
    type           text NOT NULL,
    priority       text NOT NULL DEFAULT 'NORMAL' CHECK (priority IN ('NORMAL', 'HIGH')),
    title          text NOT NULL,
    body           text NOT NULL,
    metadata       jsonb NOT NULL DEFAULT '{}',
    entity         text NOT NULL,
    entity_id      text NOT NULL,
    dedupe_key     text NOT NULL UNIQUE,
    status         text NOT NULL CHECK (status IN ('PENDING', 'SENDING', 'SENT', 'UNCERTAIN', 'FAILED', 'EXPIRED',
                                                   'SUPPRESSED')),
    sent_at        timestamptz,
    expires_at     timestamptz,
    created_at     timestamptz NOT NULL,
    run_id         uuid,
    CHECK ((recipient_kind = 'ADDRESS') = (recipient_id IS NULL)),
    CHECK ((recipient_kind = 'ADDRESS') = (address IS NOT NULL)),
    CHECK ((status = 'SENT') = (sent_at IS NOT NULL))
);
CREATE INDEX notifications_pending ON notifications (created_at) WHERE status = 'PENDING';
CREATE INDEX notifications_inbox ON notifications (recipient_kind, recipient_id, created_at) WHERE channel = 'IN_APP';
-- What was told of failures in a row. Partial: the outbox is large, and these are few.
CREATE INDEX notifications_of_failures ON notifications (entity_id, recipient_id)
    WHERE type IN ('JOB_FAILING', 'JOB_RECOVERED');
-- Notices come in the order of time: for pruning, pages and not rows need be told apart, which costs a job nothing.
CREATE INDEX notifications_created ON notifications USING brin (created_at);

COMMENT ON TABLE notifications IS
    'The outbox: a job inserts a notice in the transaction of the change itself, and something else delivers it. '
    'When what a notice is about, or its recipient, is gone, the notice is kept as evidence. `rounds prune` '
    'deletes old rows.';
COMMENT ON COLUMN notifications.id IS 'The order of insertion.';
COMMENT ON COLUMN notifications.recipient_kind IS 'USER, PATIENT, DEPARTMENT or ADDRESS.';
COMMENT ON COLUMN notifications.recipient_id IS 'The key of the user, patient or department; NULL for ADDRESS.';
COMMENT ON COLUMN notifications.address IS 'The e-mail address or URL; NULL but for ADDRESS.';
COMMENT ON COLUMN notifications.channel IS 'IN_APP, SMS, EMAIL or WEBHOOK.';
COMMENT ON COLUMN notifications.type IS 'What happened, such as NO_SHOW or TICKET_ESCALATED.';
COMMENT ON COLUMN notifications.priority IS 'NORMAL or HIGH.';
COMMENT ON COLUMN notifications.title IS 'The title as people read it.';
COMMENT ON COLUMN notifications.body IS 'The text as people read it; one to staff may name a patient.';
COMMENT ON COLUMN notifications.metadata IS 'An object: ids, counts and codes only.';
COMMENT ON COLUMN notifications.entity IS 'The kind of thing that it is about.';
COMMENT ON COLUMN notifications.entity_id IS 'The key of that thing.';
COMMENT ON COLUMN notifications.dedupe_key IS 'Names the event: there is no second notice of it.';
COMMENT ON COLUMN notifications.status IS
    'PENDING, SENDING, SENT, UNCERTAIN, FAILED, EXPIRED or SUPPRESSED (nobody may be sent it).';
COMMENT ON COLUMN notifications.sent_at IS 'When it was sent; NULL unless SENT.';
COMMENT ON COLUMN notifications.expires_at IS 'After this instant nobody is sent it; NULL: it does not expire.';
COMMENT ON COLUMN notifications.created_at IS 'The time of the run or command that inserted it.';
COMMENT ON COLUMN notifications.run_id IS
    'The run that inserted it; NULL: a command did. Not a foreign key, since runs may be pruned first.';
