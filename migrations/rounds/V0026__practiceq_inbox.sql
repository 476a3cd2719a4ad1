-- Events of the account, as its webhook tells them: of each only which appointment it is about.
CREATE TABLE practiceq_inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_id text NOT NULL CHECK (external_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tries       integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
    next_try_at timestamptz,
    asked_at    timestamptz,
    done_at     timestamptz,
    run_id      uuid,
    CHECK ((done_at IS NULL) = (asked_at IS NULL))
);
CREATE INDEX practiceq_inbox_waiting ON practiceq_inbox (id) WHERE done_at IS NULL;
CREATE INDEX practiceq_inbox_done ON practiceq_inbox (external_id, asked_at) WHERE done_at IS NOT NULL;

COMMENT ON TABLE practiceq_inbox IS
    'The events of the account that were received. sync-practiceq --inbox asks for the appointment of each. An '
    'application that receives webhooks inserts external_id, and nothing else.';
COMMENT ON COLUMN practiceq_inbox.id IS 'The order of insertion.';
COMMENT ON COLUMN practiceq_inbox.external_id IS 'The appointment''s id in the account.';
COMMENT ON COLUMN practiceq_inbox.received_at IS 'When it was received.';
COMMENT ON COLUMN practiceq_inbox.tries IS 'How many runs asked in vain.';
COMMENT ON COLUMN practiceq_inbox.next_try_at IS 'No run asks before then; NULL: it was not asked in vain.';
COMMENT ON COLUMN practiceq_inbox.asked_at IS
    'When the account was asked for the appointment, after the event was received; NULL: it waits.';
COMMENT ON COLUMN practiceq_inbox.done_at IS 'When the answer was stored; NULL: it waits.';
COMMENT ON COLUMN practiceq_inbox.run_id IS 'The run that stored it; NULL: it waits.';

ALTER TABLE api_requests ADD COLUMN event boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN api_requests.event IS 'Whether it was sent because of an event: these have a share of the day.';

ALTER TABLE sync_logs
    DROP CONSTRAINT sync_logs_sync_type_check,
    ADD CONSTRAINT sync_logs_sync_type_check
        CHECK (sync_type IN ('automated_daily', 'automated_incremental', 'manual_org_bulk', 'manual_patient', 'webhook'));
COMMENT ON COLUMN sync_logs.sync_type IS
    'automated_daily, automated_incremental, manual_org_bulk, manual_patient or webhook.';
COMMENT ON COLUMN v_recent_sync_activity.sync_type IS
    'automated_daily, automated_incremental, manual_org_bulk, manual_patient or webhook.';
