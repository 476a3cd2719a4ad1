-- Patient-experience cases and the help desk: what is promised until when, and what happened when it was not kept.

CREATE TABLE departments (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id bigint NOT NULL REFERENCES facilities,
    name        text NOT NULL,
    UNIQUE (id, facility_id)
);
ALTER TABLE appointments ADD COLUMN department_id bigint REFERENCES departments;

CREATE TABLE px_cases (
    id                     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    facility_id            bigint NOT NULL REFERENCES facilities,
    appointment_id         bigint REFERENCES appointments,       -- the visit that it is about
    status                 text NOT NULL DEFAULT 'OPEN'
                           CHECK (status IN ('OPEN', 'IN_PROGRESS', 'ESCALATED', 'RESOLVED', 'CLOSED')),
    severity               text NOT NULL DEFAULT 'MEDIUM' CHECK (severity IN ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    description            text,
    assigned_department_id bigint,
    assigned_role          text,
    assigned_user_id       bigint REFERENCES users,
    sla_minutes            integer CHECK (sla_minutes > 0),
    due_at                 timestamptz,                          -- NULL: nothing is promised
    escalation_level       integer NOT NULL DEFAULT 0 CHECK (escalation_level BETWEEN 0 AND 3),
    escalated_at           timestamptz,
    active                 boolean,                              -- NULL counts as active
    created_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A facility's cases never reach another's department.
    FOREIGN KEY (assigned_department_id, facility_id) REFERENCES departments (id, facility_id),
    CHECK (status <> 'ESCALATED' OR (escalation_level > 0 AND escalated_at IS NOT NULL))
);
CREATE INDEX px_cases_awaited ON px_cases (due_at) WHERE status IN ('OPEN', 'IN_PROGRESS') AND active IS NOT FALSE;
CREATE INDEX px_cases_escalated ON px_cases (escalated_at)
    WHERE status = 'ESCALATED' AND active IS NOT FALSE AND escalation_level < 3;

CREATE TABLE px_case_audits (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id    bigint NOT NULL REFERENCES px_cases,
    actor      text NOT NULL,                                    -- 'system', or a user's id
    action     text NOT NULL CHECK (action <> ''),
    before     jsonb NOT NULL,
    after      jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    run_id     uuid
);
CREATE INDEX px_case_audits_case ON px_case_audits (case_id);
CREATE INDEX px_case_audits_run ON px_case_audits (run_id);

CREATE TABLE teams (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name   text NOT NULL,
    active boolean NOT NULL DEFAULT true
);
CREATE TABLE team_members (
    team_id   bigint NOT NULL REFERENCES teams,
    user_id   bigint NOT NULL REFERENCES users,
    is_leader boolean NOT NULL DEFAULT false,
    PRIMARY KEY (team_id, user_id)
);

CREATE TABLE tickets (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number            text NOT NULL UNIQUE,                      -- as people call it
    facility_id       bigint REFERENCES facilities,              -- NULL: the whole group's
    title             text NOT NULL,
    status            text NOT NULL DEFAULT 'OPEN'
                      CHECK (status IN ('OPEN', 'IN_PROGRESS', 'WAITING', 'RESOLVED', 'CLOSED')),
    status_changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    priority          text NOT NULL DEFAULT 'MEDIUM' CHECK (priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
    created_by        bigint REFERENCES users,
    assignee_id       bigint REFERENCES users,
    team_id           bigint REFERENCES teams,
    sla_due_at        timestamptz,
    custom_sla_due_at timestamptz,                               -- comes before everything else
    customer_rating   integer CHECK (customer_rating BETWEEN 1 AND 5),
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX tickets_open ON tickets (id) WHERE status NOT IN ('RESOLVED', 'CLOSED');

CREATE TABLE ticket_followers (
    ticket_id bigint NOT NULL REFERENCES tickets,
    user_id   bigint NOT NULL REFERENCES users,
    PRIMARY KEY (ticket_id, user_id)
);

CREATE TABLE ticket_comments (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id           bigint NOT NULL REFERENCES tickets,
    author_id           bigint REFERENCES users,
    body                text NOT NULL,
    visible_to_customer boolean NOT NULL DEFAULT false,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ticket_comments_visible ON ticket_comments (ticket_id, created_at DESC) WHERE visible_to_customer;

CREATE TABLE ticket_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id  bigint NOT NULL REFERENCES tickets,
    action     text NOT NULL CHECK (action <> ''),
    actor_id   bigint REFERENCES users,                          -- NULL: nobody, then actor says 'system'
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

CREATE TABLE sla_policies (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    priority           text NOT NULL CHECK (priority IN ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
    resolution_minutes integer NOT NULL CHECK (resolution_minutes > 0),
    active             boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Of each priority the newest that is active: the one that counts.
CREATE VIEW sla_policies_in_force AS
SELECT DISTINCT ON (p.priority) p.priority, p.resolution_minutes FROM sla_policies p WHERE p.active
ORDER BY p.priority, p.created_at DESC, p.id DESC;

CREATE TABLE notification_preferences (
    user_id bigint PRIMARY KEY REFERENCES users,
    in_app  boolean NOT NULL DEFAULT true,
    email   boolean NOT NULL DEFAULT false
);

-- What is to happen to tickets when. The shapes of condition and action are the program's to check: a rule that is wrong
-- is reported by its id, and the others run.
CREATE TABLE escalation_rules (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL,
    position       integer NOT NULL,
    active         boolean NOT NULL DEFAULT true,
    condition_type text NOT NULL,
    condition      jsonb NOT NULL DEFAULT '{}',
    action_type    text NOT NULL,
    action         jsonb NOT NULL DEFAULT '{}',
    cooldown_hours double precision CHECK (cooldown_hours > 0),  -- NULL: once, until its condition has been false
    -- What it does when: a rule that is changed is another, and fires anew.
    definition     text NOT NULL GENERATED ALWAYS AS (md5(condition_type || condition::text || action_type || action::text))
                   STORED
);

-- A rule that has fired for a ticket, and whose condition has been true ever since.
CREATE TABLE escalation_episodes (
    rule_id    bigint NOT NULL REFERENCES escalation_rules ON DELETE CASCADE,
    ticket_id  bigint NOT NULL REFERENCES tickets ON DELETE CASCADE,
    definition text NOT NULL,                                    -- the rule's, when it fired
    fired_at   timestamptz NOT NULL,
    run_id     uuid,
    PRIMARY KEY (rule_id, ticket_id)
);
CREATE INDEX escalation_episodes_ticket ON escalation_episodes (ticket_id);
