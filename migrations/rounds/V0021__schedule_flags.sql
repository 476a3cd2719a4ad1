-- The hours of doctors as runs saw them, and the visits that no longer fit them.

CREATE TABLE schedule_versions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    doctor_id  text NOT NULL,
    weekday    integer NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    version    text NOT NULL,
    changed_at timestamptz,
    touched_at timestamptz,
    seen_at    timestamptz NOT NULL,
    ended_at   timestamptz,
    run_id     uuid
);

-- A day of a doctor's week has one version at a time.
CREATE UNIQUE INDEX schedule_versions_open ON schedule_versions (doctor_id, weekday) WHERE ended_at IS NULL;
CREATE INDEX schedule_versions_ended ON schedule_versions (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE schedule_flags (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    appointment_id text NOT NULL,
    facility_id    text NOT NULL,
    doctor_id      text NOT NULL,
    weekday        integer NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    version        text NOT NULL,
    changed_at     timestamptz NOT NULL,
    visit_start    timestamp NOT NULL,
    flagged_at     timestamptz NOT NULL,
    listed_at      timestamptz,
    cleared_at     timestamptz,
    cleared_by     text CHECK (cleared_by IN ('FITS', 'MOVED', 'NOT_AWAITED', 'OVER', 'GONE', 'CHANGED_AGAIN')),
    run_id         uuid,
    CHECK ((cleared_at IS NULL) = (cleared_by IS NULL))
);

-- A patient is told once of a visit and a change of its doctor's hours.
CREATE UNIQUE INDEX schedule_flags_once ON schedule_flags (appointment_id, doctor_id, weekday, version, changed_at);
CREATE INDEX schedule_flags_open ON schedule_flags (id) WHERE cleared_at IS NULL;
CREATE INDEX schedule_flags_unlisted ON schedule_flags (facility_id) WHERE listed_at IS NULL AND cleared_at IS NULL;
CREATE INDEX schedule_flags_cleared ON schedule_flags (cleared_at) WHERE cleared_at IS NOT NULL;

COMMENT ON TABLE schedule_versions IS
    'The hours of each doctor and day of the week, as the runs of flag-schedule-conflicts saw them: a row as long as '
    'they stay the same. When the doctor is gone, the rows are kept; `rounds prune` deletes those that ended long ago.';
COMMENT ON COLUMN schedule_versions.id IS 'The order of insertion.';
COMMENT ON COLUMN schedule_versions.doctor_id IS 'The key of the doctor.';
COMMENT ON COLUMN schedule_versions.weekday IS 'ISO: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN schedule_versions.version IS
    'The SHA-256 of the hours that hold on that day, in order: rows that are deleted and inserted anew have the same.';
COMMENT ON COLUMN schedule_versions.changed_at IS
    'When the hours became these: as the clinic says, else when it was seen; NULL: they were so at the first look, and '
    'the clinic does not say since when.';
COMMENT ON COLUMN schedule_versions.touched_at IS
    'The latest time of making or changing that the clinic''s rows had at the last look; NULL: they have none.';
COMMENT ON COLUMN schedule_versions.seen_at IS 'When they were first seen.';
COMMENT ON COLUMN schedule_versions.ended_at IS 'When other hours were seen; NULL: they hold.';
COMMENT ON COLUMN schedule_versions.run_id IS 'The run that saw them first; it may be pruned.';

COMMENT ON TABLE schedule_flags IS
    'The visits that did not fit the changed hours of their doctor, and whose patients were told. When the visit is '
    'gone, its flag is cleared (GONE) and kept, until `rounds prune` deletes it.';
COMMENT ON COLUMN schedule_flags.id IS 'The order of insertion.';
COMMENT ON COLUMN schedule_flags.appointment_id IS 'The key of the visit.';
COMMENT ON COLUMN schedule_flags.facility_id IS 'The key of its facility.';
COMMENT ON COLUMN schedule_flags.doctor_id IS 'The key of its doctor.';
COMMENT ON COLUMN schedule_flags.weekday IS 'The day of the week of the visit; ISO: 1 is Monday, 7 is Sunday.';
COMMENT ON COLUMN schedule_flags.version IS 'The hours that it does not fit, as in schedule_versions.';
COMMENT ON COLUMN schedule_flags.changed_at IS 'When the hours became these, as in schedule_versions.';
COMMENT ON COLUMN schedule_flags.visit_start IS 'The day and time of the visit, by the facility''s clock.';
COMMENT ON COLUMN schedule_flags.flagged_at IS 'When it was flagged, and its patient told in the application.';
COMMENT ON COLUMN schedule_flags.listed_at IS
    'When it was in the list for the admins of its facility; NULL: not yet, or it was cleared before.';
COMMENT ON COLUMN schedule_flags.cleared_at IS 'When the flag was cleared; NULL: it is open.';
COMMENT ON COLUMN schedule_flags.cleared_by IS
    'FITS (the visit fits again), MOVED (to another time or doctor), NOT_AWAITED (it is no longer SCHEDULED or '
    'CONFIRMED), OVER (it has begun), GONE (it is deleted) or CHANGED_AGAIN (the hours changed, and it does not fit the '
    'new ones either, which is a flag of its own); NULL: it is open.';
COMMENT ON COLUMN schedule_flags.run_id IS 'The run that flagged it; it may be pruned.';
