-- What apply-absences did for which leave of a doctor, so that a leave that is changed or withdrawn is brought to its
-- new state, and nothing is undone that others did.

CREATE TABLE absence_effects (
    absence_id  text PRIMARY KEY,
    facility_id text NOT NULL,
    doctor_id   text NOT NULL,
    type        text,
    begins_at   timestamptz,
    ends_at     timestamptz,
    seen_at     timestamptz NOT NULL,
    applied_at  timestamptz,
    ended_at    timestamptz,
    run_id      uuid,
    CHECK ((applied_at IS NULL) = (type IS NULL)),
    CHECK ((applied_at IS NULL) = (begins_at IS NULL)),
    CHECK ((applied_at IS NULL) = (ends_at IS NULL))
);
CREATE INDEX absence_effects_doctor ON absence_effects (doctor_id);

CREATE TABLE blocked_slots (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slot_id      text NOT NULL,
    absence_id   text NOT NULL,
    doctor_id    text NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    was_blocked  boolean NOT NULL,
    blocked_at   timestamptz NOT NULL,
    unblocked_at timestamptz,
    run_id       uuid
);
-- A slot is blocked once at a time.
CREATE UNIQUE INDEX blocked_slots_standing ON blocked_slots (slot_id) WHERE unblocked_at IS NULL;
CREATE INDEX blocked_slots_absence ON blocked_slots (absence_id) WHERE unblocked_at IS NULL;
CREATE INDEX blocked_slots_ends ON blocked_slots USING brin (ends_at);

CREATE TABLE absence_visits (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    absence_id     text NOT NULL,
    appointment_id text NOT NULL,
    doctor_id      text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('CANCELLED', 'KEPT')),
    visit_start    timestamp NOT NULL,
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    told           boolean NOT NULL,
    noted_at       timestamptz NOT NULL,
    outside_at     timestamptz,
    run_id         uuid,
    CHECK (outcome = 'CANCELLED' OR outside_at IS NULL)
);
-- The admins are told of a visit that stays once.
CREATE UNIQUE INDEX absence_visits_kept ON absence_visits (absence_id, appointment_id) WHERE outcome = 'KEPT';
CREATE INDEX absence_visits_absence ON absence_visits (absence_id);
CREATE INDEX absence_visits_appointment ON absence_visits (appointment_id);
CREATE INDEX absence_visits_cancelled ON absence_visits (doctor_id, ends_at)
    WHERE outcome = 'CANCELLED' AND outside_at IS NULL;

COMMENT ON TABLE absence_effects IS
    'The leaves of doctors that were seen, and in which state each was applied. When the absence is gone, the next run '
    'ends its effects as if it had been withdrawn, and its row is kept as evidence.';
COMMENT ON COLUMN absence_effects.absence_id IS 'The key of the absence.';
COMMENT ON COLUMN absence_effects.facility_id IS 'The key of the facility of its doctor.';
COMMENT ON COLUMN absence_effects.doctor_id IS 'The key of its doctor.';
COMMENT ON COLUMN absence_effects.type IS
    'The type with which it was applied last; NULL as long as it was not applied completely.';
COMMENT ON COLUMN absence_effects.begins_at IS 'The beginning with which it was applied last; NULL as the type.';
COMMENT ON COLUMN absence_effects.ends_at IS 'The end with which it was applied last; NULL as the type.';
COMMENT ON COLUMN absence_effects.seen_at IS 'When it was first seen.';
COMMENT ON COLUMN absence_effects.applied_at IS
    'When the state that it has here was applied completely; NULL: it never was.';
COMMENT ON COLUMN absence_effects.ended_at IS
    'When its effects were taken back, since it is withdrawn or gone; NULL: they were not.';
COMMENT ON COLUMN absence_effects.run_id IS 'The run that applied or ended it; it may be pruned.';

COMMENT ON TABLE blocked_slots IS
    'The slots that apply-absences blocked, each with the leave for which it stays blocked; never those that somebody '
    'else had blocked. When the slot is gone, its row is ended when its leave is changed or withdrawn. `rounds prune` '
    'deletes the rows of slots that are long over.';
COMMENT ON COLUMN blocked_slots.id IS 'The order of insertion.';
COMMENT ON COLUMN blocked_slots.slot_id IS 'The key of the slot.';
COMMENT ON COLUMN blocked_slots.absence_id IS
    'The key of the absence: the cause. Where it covers the slot no more and another does, that one''s.';
COMMENT ON COLUMN blocked_slots.doctor_id IS 'The key of the doctor.';
COMMENT ON COLUMN blocked_slots.starts_at IS 'The instant at which the slot starts.';
COMMENT ON COLUMN blocked_slots.ends_at IS 'The instant at which it ends.';
COMMENT ON COLUMN blocked_slots.was_blocked IS
    'Whether it was blocked by its booking before: then it is not unblocked as long as it is booked.';
COMMENT ON COLUMN blocked_slots.blocked_at IS 'When it was blocked.';
COMMENT ON COLUMN blocked_slots.unblocked_at IS 'When the block was taken back; NULL: it stands.';
COMMENT ON COLUMN blocked_slots.run_id IS 'The run that blocked it; it may be pruned.';

COMMENT ON TABLE absence_visits IS
    'What apply-absences did with the visits inside a leave. A visit that is booked again and cancelled again has two '
    'rows. When the visit is gone, or the absence is gone, the rows are kept as evidence.';
COMMENT ON COLUMN absence_visits.id IS 'The order of insertion.';
COMMENT ON COLUMN absence_visits.absence_id IS 'The key of the absence.';
COMMENT ON COLUMN absence_visits.appointment_id IS 'The key of the visit.';
COMMENT ON COLUMN absence_visits.doctor_id IS 'The key of the doctor.';
COMMENT ON COLUMN absence_visits.outcome IS
    'CANCELLED (for an emergency; the patient was told) or KEPT (it stays, and the admins were told).';
COMMENT ON COLUMN absence_visits.visit_start IS
    'The day and time for which it was booked, by the facility''s clock.';
COMMENT ON COLUMN absence_visits.starts_at IS 'The instant at which it was to start.';
COMMENT ON COLUMN absence_visits.ends_at IS 'The instant at which it was to end.';
COMMENT ON COLUMN absence_visits.told IS 'Whether there was somebody to tell: the patient, or an admin.';
COMMENT ON COLUMN absence_visits.noted_at IS 'When it was cancelled, or first listed.';
COMMENT ON COLUMN absence_visits.outside_at IS
    'When a run saw that no emergency covers the visit any more, and told the admins that it stays cancelled; NULL: '
    'none did.';
COMMENT ON COLUMN absence_visits.run_id IS 'The run that did it; it may be pruned.';
