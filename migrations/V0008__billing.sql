-- Surgical cases on their way to be paid: what they can be, what a job may make of them, and who made what of each.

-- What a case can be, and which of its columns says since when.
CREATE TABLE surgical_case_statuses (
    status          integer PRIMARY KEY CHECK (status >= 0),
    name            text NOT NULL UNIQUE,
    timestamp_field text NOT NULL UNIQUE CHECK (timestamp_field ~ '^[a-z_]+_ts$')
);
INSERT INTO surgical_case_statuses (status, name, timestamp_field) VALUES
    (7,   'billable',                      'billable_ts'),
    (8,   'docs needed',                   'docs_needed_ts'),
    (10,  'submitted (ready for billing)', 'submitted_ts'),
    (15,  'pending payment',               'pending_payment_ts'),
    (20,  'paid to provider',              'paid_to_provider_ts'),
    (30,  'sent to biller',                'sent_to_biller_ts'),
    (40,  'received payment',              'received_payment_ts'),
    (50,  'negotiation',                   'negotiation_ts'),
    (60,  'settled',                       'settled_ts'),
    (70,  'sent to IDR',                   'sent_to_idr_ts'),
    (80,  'IDR decision',                  'idr_decision_ts'),
    (400, 'rejected',                      'rejected_ts'),
    (500, 'closed',                        'closed_ts');

-- The steps that advance-billing may make without a person's word, each a stage of it. Never backwards.
CREATE TABLE surgical_case_transitions (
    stage       text PRIMARY KEY,
    from_status integer NOT NULL UNIQUE REFERENCES surgical_case_statuses,
    to_status   integer NOT NULL REFERENCES surgical_case_statuses,
    min_dwell   interval NOT NULL CHECK (min_dwell >= interval '0'),  -- after the job itself brought a case to from_status
    CHECK (to_status > from_status)
);
INSERT INTO surgical_case_transitions (stage, from_status, to_status, min_dwell) VALUES
    ('pending-payment', 10, 15, '0'),
    ('paid',            15, 20, '24 hours');

CREATE TABLE surgical_cases (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id         bigint NOT NULL REFERENCES facilities,
    patient_id          bigint NOT NULL REFERENCES patients,
    case_status         integer NOT NULL REFERENCES surgical_case_statuses,
    pay_amount          numeric(12, 2) CHECK (pay_amount >= 0),       -- of the provider; NULL: none is known
    active              boolean NOT NULL DEFAULT true,
    billable_ts         timestamptz,
    docs_needed_ts      timestamptz,
    submitted_ts        timestamptz,
    pending_payment_ts  timestamptz,
    paid_to_provider_ts timestamptz,
    sent_to_biller_ts   timestamptz,
    received_payment_ts timestamptz,
    negotiation_ts      timestamptz,
    settled_ts          timestamptz,
    sent_to_idr_ts      timestamptz,
    idr_decision_ts     timestamptz,
    rejected_ts         timestamptz,
    closed_ts           timestamptz,
    created_ts          timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_ts          timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Where the job's steps begin: cases that are past them, most of all, are not in it.
CREATE INDEX surgical_cases_awaited ON surgical_cases (case_status, id) WHERE active AND case_status IN (10, 15);

-- Every step of a case that was recorded.
CREATE TABLE surgical_case_status_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     bigint NOT NULL REFERENCES surgical_cases,
    from_status integer NOT NULL,
    to_status   integer NOT NULL,
    actor       text NOT NULL,                                        -- 'system', or a user's id
    run_id      uuid,                                                 -- the job's; NULL: the application wrote it
    forced      boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The job goes back only where a person said so.
    CHECK (run_id IS NULL OR forced OR to_status > from_status),
    CHECK (NOT forced OR actor <> 'system')
);
CREATE INDEX surgical_case_status_history_case ON surgical_case_status_history (case_id, created_at);
CREATE INDEX surgical_case_status_history_run ON surgical_case_status_history (run_id);
-- What was done lately is at the end of the table: pages and not rows need be told apart.
CREATE INDEX surgical_case_status_history_created ON surgical_case_status_history USING brin (created_at);
