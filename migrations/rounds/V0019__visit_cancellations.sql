-- The cancellations of visits that were seen, so that each is told of once. An application's tables often do not say
-- when a visit was cancelled.

CREATE TABLE visit_cancellations (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id text,
    visit_start    timestamp,
    cancelled_at   timestamptz NOT NULL,
    seen_at        timestamptz NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('BEGAN', 'BEFORE', 'BY_ABSENCE', 'BY_DOCTOR', 'TOLD',
                                                    'TOLD_STAND_INS', 'NOBODY', 'PAST')),
    ended_at       timestamptz,
    run_id         uuid,
    CHECK ((appointment_id IS NULL) = (outcome = 'BEGAN'))
);

-- A visit is cancelled once at a time.
CREATE UNIQUE INDEX visit_cancellations_open ON visit_cancellations (appointment_id)
    WHERE ended_at IS NULL AND appointment_id IS NOT NULL;
-- The ledger begins once.
CREATE UNIQUE INDEX visit_cancellations_began ON visit_cancellations (outcome) WHERE outcome = 'BEGAN';
-- What may still be booked again is looked at by each run; what is past is not.
CREATE INDEX visit_cancellations_awaited ON visit_cancellations (visit_start) WHERE ended_at IS NULL;
CREATE INDEX visit_cancellations_run ON visit_cancellations (run_id);

COMMENT ON TABLE visit_cancellations IS
    'The cancellations of visits that were seen, and what was done about them. A visit that is cancelled again has two '
    'rows. When the visit is gone, its rows are kept as evidence, until `rounds prune` deletes them.';
COMMENT ON COLUMN visit_cancellations.id IS 'The order of insertion.';
COMMENT ON COLUMN visit_cancellations.appointment_id IS
    'The key of the visit; NULL in the row BEGAN, which says since when cancellations are seen, and never goes.';
COMMENT ON COLUMN visit_cancellations.visit_start IS
    'The day and time for which the visit was booked when it was seen, by the facility''s clock. An open row is of this '
    'start only.';
COMMENT ON COLUMN visit_cancellations.cancelled_at IS
    'When the visit was cancelled: as the clinic says, else when it was first seen.';
COMMENT ON COLUMN visit_cancellations.seen_at IS 'When it was first seen.';
COMMENT ON COLUMN visit_cancellations.outcome IS
    'BEGAN, BEFORE (cancelled before the ledger began: nobody was told), BY_ABSENCE (apply-absences cancelled it, and '
    'told the patient), BY_DOCTOR (its doctor cancelled it, and knows), TOLD (a notice to the doctor was staged), '
    'TOLD_STAND_INS (one to the receptionists, as the doctor could not be told), NOBODY (there was nobody to tell) or '
    'PAST (it had begun when it was cancelled, or was over when that was seen).';
COMMENT ON COLUMN visit_cancellations.ended_at IS
    'When a run saw that it is cancelled no more, or was cancelled again since; NULL: neither.';
COMMENT ON COLUMN visit_cancellations.run_id IS 'The run that saw it; it may be pruned.';
