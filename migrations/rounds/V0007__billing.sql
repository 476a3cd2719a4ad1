-- Every step of a case that was recorded.
CREATE TABLE surgical_case_status_history (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id     text NOT NULL,
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
