-- What the account says in two ways: an appointment that it lists as deleted, and has all the same; a client who is
-- known as one patient, and whose row has the e-mail and the date of birth of another.
CREATE TABLE practiceq_contradictions (
    external_id text PRIMARY KEY CHECK (external_id <> ''),
    found_at    timestamptz NOT NULL
);

COMMENT ON TABLE practiceq_contradictions IS
    'Appointments that the account listed as deleted and had all the same when it was asked for them. The sync deletes a '
    'row 30 days after the account was asked last.';
COMMENT ON COLUMN practiceq_contradictions.external_id IS 'The appointment''s id in the account.';
COMMENT ON COLUMN practiceq_contradictions.found_at IS 'When the account was asked for it last, and had it.';

ALTER TABLE practiceq_unmatched
    DROP CONSTRAINT practiceq_unmatched_reason_check,
    ADD CONSTRAINT practiceq_unmatched_reason_check CHECK (reason IN ('NOBODY', 'SEVERAL', 'GROUP', 'CONFLICT', 'MERGED'));
COMMENT ON COLUMN practiceq_unmatched.reason IS
    'NOBODY, SEVERAL, GROUP (the appointment is of several clients), CONFLICT (the client is known as one patient, and the '
    'appointment has the e-mail and the date of birth of another) or MERGED (the visit is in a chart, and its client has '
    'another id now).';

-- Earlier versions took values that stand for "none", such as 0, for a client of the account, so that whoever came with
-- it next was taken for the first. The visits are matched anew when they are read.
DELETE FROM practiceq_clients
WHERE client_id ~* '^([0[:punct:][:space:]]*|[^[:alnum:]]*(null|undefined|none|n/a)[^[:alnum:]]*|-[0-9.]+)$';
UPDATE practiceq_unmatched SET client_id = NULL
WHERE client_id ~* '^([0[:punct:][:space:]]*|[^[:alnum:]]*(null|undefined|none|n/a)[^[:alnum:]]*|-[0-9.]+)$';
UPDATE practiceq_visits SET client_id = NULL
WHERE client_id ~* '^([0[:punct:][:space:]]*|[^[:alnum:]]*(null|undefined|none|n/a)[^[:alnum:]]*|-[0-9.]+)$';

-- What the next sweep is measured by.
ALTER TABLE practiceq_state
    ADD COLUMN sweep_rows integer,
    ADD COLUMN sweep_days text,
    ADD COLUMN page_rows  integer;
COMMENT ON COLUMN practiceq_state.sweep_rows IS 'The number of appointments that this sweep read; NULL: none.';
COMMENT ON COLUMN practiceq_state.sweep_days IS
    'How many days before and after its day the window of this sweep had, such as 90+90; NULL: none.';
COMMENT ON COLUMN practiceq_state.page_rows IS
    'The number of rows of the longest page of this sweep: a shorter page of a list is its last; NULL: none.';

-- Whether a client with another id is the same person.
ALTER TABLE practiceq_visits ADD COLUMN client_marks text[];
COMMENT ON COLUMN practiceq_visits.client_marks IS
    'Digests of what the account says of the client: of name and e-mail, of these and the date of birth, of the e-mail '
    'alone; each NULL where one of its parts is. NULL: the next sync that reads the visit notes them.';
