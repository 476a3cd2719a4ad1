-- What happened to cases and tickets when what was promised was not kept.

CREATE TABLE px_case_audits (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id    text NOT NULL,
    actor      text NOT NULL,
    action     text NOT NULL CHECK (action <> ''),
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    run_id     uuid
);
CREATE INDEX px_case_audits_case ON px_case_audits (case_id);
CREATE INDEX px_case_audits_run ON px_case_audits (run_id);

CREATE TABLE ticket_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  text NOT NULL,
    action     text NOT NULL CHECK (action <> ''),
    actor_id   text,
    actor      text NOT NULL,
    details    jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL,
    run_id     uuid,
    CHECK (actor_id IS NOT NULL OR actor = 'system')
);
CREATE INDEX ticket_history_ticket ON ticket_history (ticket_id);
-- What the next check compares with.
CREATE INDEX ticket_history_sla ON ticket_history (ticket_id, id DESC) WHERE action = 'sla_status_checked';
CREATE INDEX ticket_history_run ON ticket_history (run_id);

CREATE TABLE escalation_episodes (
    rule_id    text NOT NULL,
    ticket_id  text NOT NULL,
    definition text NOT NULL,
    fired_at   timestamptz NOT NULL,
    run_id     uuid,
    PRIMARY KEY (rule_id, ticket_id)
);
CREATE INDEX escalation_episodes_ticket ON escalation_episodes (ticket_id);

COMMENT ON TABLE px_case_audits IS
    'What rounds changed in patient experience cases whose due time had passed. When the case is gone, its rows '
    'are kept as evidence.';
COMMENT ON COLUMN px_case_audits.id IS 'The order of insertion.';
COMMENT ON COLUMN px_case_audits.case_id IS 'The key of the case.';
COMMENT ON COLUMN px_case_audits.actor IS 'The key of the user who started the run, or system.';
COMMENT ON COLUMN px_case_audits.action IS 'What was done, such as ESCALATED.';
COMMENT ON COLUMN px_case_audits.before IS 'An object: the columns that were changed, as they were.';
COMMENT ON COLUMN px_case_audits.after IS 'An object: the same columns, as they are now.';
COMMENT ON COLUMN px_case_audits.created_at IS 'The time of the run.';
COMMENT ON COLUMN px_case_audits.run_id IS 'The run.';

COMMENT ON TABLE ticket_history IS
    'What rounds did to tickets and saw of them. When the ticket is gone, its rows are kept as evidence.';
COMMENT ON COLUMN ticket_history.id IS 'The order of insertion.';
COMMENT ON COLUMN ticket_history.ticket_id IS 'The key of the ticket.';
COMMENT ON COLUMN ticket_history.action IS
    'What was done or seen; sla_status_checked is what the next run of monitor-ticket-sla compares with.';
COMMENT ON COLUMN ticket_history.actor_id IS
    'The key of the user who started the run; NULL: nobody, and actor is system.';
COMMENT ON COLUMN ticket_history.actor IS 'The key of that user, or system.';
COMMENT ON COLUMN ticket_history.details IS 'An object; its shape depends on the action.';
COMMENT ON COLUMN ticket_history.created_at IS 'The time of the run.';
COMMENT ON COLUMN ticket_history.run_id IS 'The run.';

COMMENT ON TABLE escalation_episodes IS
    'A rule that has fired for a ticket, and whose condition has been true ever since. When the ticket or the rule '
    'is gone, the episode ends at the next run.';
COMMENT ON COLUMN escalation_episodes.rule_id IS 'The key of the rule.';
COMMENT ON COLUMN escalation_episodes.ticket_id IS 'The key of the ticket.';
COMMENT ON COLUMN escalation_episodes.definition IS
    'The definition of the rule when it fired; another one ends the episode.';
COMMENT ON COLUMN escalation_episodes.fired_at IS 'When it fired last.';
COMMENT ON COLUMN escalation_episodes.run_id IS 'The run in which it fired last.';
