-- Evidence of what was committed: a row that is written in the transaction of a change, so that either both are there or
-- neither. It tells how a COMMIT ended whose reply was lost, also after a crash of the server.

CREATE TABLE run_batches (
    run_id uuid NOT NULL REFERENCES cron_job_runs ON DELETE CASCADE,
    batch  integer NOT NULL CHECK (batch > 0),
    PRIMARY KEY (run_id, batch)
);

CREATE TABLE operator_actions (
    id       uuid PRIMARY KEY,
    actor    text NOT NULL,
    command  text NOT NULL CHECK (command <> ''),
    acted_at timestamptz NOT NULL
);

COMMENT ON TABLE run_batches IS
    'The transactions that runs at work have committed. The close of a run deletes its rows.';
COMMENT ON COLUMN run_batches.run_id IS 'The run.';
COMMENT ON COLUMN run_batches.batch IS 'The number of the transaction in the run, from 1.';

COMMENT ON TABLE operator_actions IS
    'What people changed, or had shown, by operator commands: a row for each, inserted with the change. When the user '
    'is gone, the rows are kept as evidence.';
COMMENT ON COLUMN operator_actions.id IS 'Made by the client, so that a lost reply can be resolved.';
COMMENT ON COLUMN operator_actions.actor IS 'The key of the user who acted.';
COMMENT ON COLUMN operator_actions.command IS 'The command of rounds.';
COMMENT ON COLUMN operator_actions.acted_at IS 'When it was done.';
