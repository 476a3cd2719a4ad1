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
    metadata       jsonb NOT NULL DEFAULT '{}',   -- ids, counts and codes only
    entity         text NOT NULL,                 -- what it is about
    entity_id      text NOT NULL,
    dedupe_key     text NOT NULL UNIQUE,          -- names the episode: no second notice of one event
    status         text NOT NULL CHECK (status IN ('PENDING', 'SENDING', 'SENT', 'UNCERTAIN', 'FAILED', 'EXPIRED',
                                                   'SUPPRESSED')),
    sent_at        timestamptz,
    expires_at     timestamptz,                   -- business time: after it nobody is told
    created_at     timestamptz NOT NULL,
    run_id         uuid,                          -- plain: history may be pruned before its evidence
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
