-- Every step of a case that was recorded.
CREATE TABLE surgical_case_status_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     text NOT NULL,
    from_status integer NOT NULL,
    to_status   integer NOT NULL,
    actor       text NOT NULL,
    run_id      uuid,
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

COMMENT ON TABLE surgical_case_status_history IS
    'Every recorded change of a surgical case''s status. When the case is gone, its rows are kept as evidence.';
COMMENT ON COLUMN surgical_case_status_history.id IS 'The order of insertion.';
COMMENT ON COLUMN surgical_case_status_history.case_id IS 'The key of the surgical case.';
COMMENT ON COLUMN surgical_case_status_history.from_status IS 'The status before, of surgical_case_statuses.';
COMMENT ON COLUMN surgical_case_status_history.to_status IS 'The status after.';
COMMENT ON COLUMN surgical_case_status_history.actor IS 'The key of the user, or system.';
COMMENT ON COLUMN surgical_case_status_history.run_id IS
    'The run of advance-billing; NULL: the application recorded it.';
COMMENT ON COLUMN surgical_case_status_history.forced IS
    'Whether a person had the job make a step that is none of surgical_case_transitions.';
COMMENT ON COLUMN surgical_case_status_history.created_at IS 'When the status was changed.';
