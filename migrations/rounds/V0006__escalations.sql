-- What happened to cases and tickets when what was promised was not kept.

CREATE TABLE px_case_audits (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id    text NOT NULL,
    actor      text NOT NULL,                                    -- 'system', or a user's id
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
    actor_id   text            ,                          -- NULL: nobody, then actor says 'system'
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

-- A rule that has fired for a ticket, and whose condition has been true ever since.
CREATE TABLE escalation_episodes (
    rule_id    text NOT NULL,
    ticket_id  text NOT NULL,
    definition text NOT NULL,                                    -- the rule's, when it fired
    fired_at   timestamptz NOT NULL,
    run_id     uuid,
    PRIMARY KEY (rule_id, ticket_id)
);
CREATE INDEX escalation_episodes_ticket ON escalation_episodes (ticket_id);
