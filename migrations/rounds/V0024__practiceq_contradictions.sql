-- What the account says in two ways: an appointment that it lists as deleted, and has all the same.
CREATE TABLE practiceq_contradictions (
    external_id text PRIMARY KEY CHECK (external_id <> ''),
    found_at    timestamptz NOT NULL
);

COMMENT ON TABLE practiceq_contradictions IS
    'Appointments that the account listed as deleted and had all the same when it was asked for them. The sync deletes a '
    'row 30 days after the account was asked last.';
COMMENT ON COLUMN practiceq_contradictions.external_id IS 'The appointment''s id in the account.';
COMMENT ON COLUMN practiceq_contradictions.found_at IS 'When the account was asked for it last, and had it.';
