-- Who acted is a claim of --actor until the clinic binds a login of the database to a user. What can be known besides
-- is recorded with each run and each act: the operating system's user, the host, and the login.

ALTER TABLE cron_job_runs ADD COLUMN os_user text, ADD COLUMN db_login text;
ALTER TABLE operator_actions ADD COLUMN os_user text, ADD COLUMN host text, ADD COLUMN db_login text;
ALTER TABLE phi_access_log ADD COLUMN os_user text, ADD COLUMN host text, ADD COLUMN db_login text;

CREATE TABLE actor_logins (
    login    text PRIMARY KEY CHECK (login <> ''),
    user_id  text NOT NULL CHECK (user_id <> ''),
    bound_at timestamptz NOT NULL,
    bound_by text NOT NULL
);

CREATE TABLE actor_rule (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    required   boolean NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);
INSERT INTO actor_rule (required, changed_at, changed_by) VALUES (false, clock_timestamp(), session_user);

CREATE TABLE actor_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    change     text NOT NULL CHECK (change IN ('BIND', 'UNBIND', 'REQUIRE', 'REQUIRE_OFF')),
    login      text,
    user_id    text,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    os_user    text NOT NULL,
    host       text NOT NULL,
    CHECK ((login IS NULL) = (change IN ('REQUIRE', 'REQUIRE_OFF'))),
    CHECK ((login IS NULL) = (user_id IS NULL))
);

COMMENT ON COLUMN cron_job_runs.os_user IS
    'The operating system''s user whose process it was, or its number; NULL: an older version did not record it.';
COMMENT ON COLUMN cron_job_runs.db_login IS
    'The login of the session, as the server knows it; NULL: an older version did not record it.';
COMMENT ON COLUMN operator_actions.os_user IS
    'The operating system''s user whose process it was, or its number; NULL: an older version did not record it.';
COMMENT ON COLUMN operator_actions.host IS 'The host; NULL: an older version did not record it.';
COMMENT ON COLUMN operator_actions.db_login IS
    'The login of the session, as the server knows it; NULL: an older version did not record it.';
COMMENT ON COLUMN phi_access_log.os_user IS
    'The operating system''s user whose process it was, or its number; NULL: an older version did not record it.';
COMMENT ON COLUMN phi_access_log.host IS 'The host; NULL: an older version did not record it.';
COMMENT ON COLUMN phi_access_log.db_login IS
    'The login of the session, as the server knows it; NULL: an older version did not record it.';

COMMENT ON TABLE actor_logins IS
    'Whose a login of the database is: a session of it acts as that user, and can name nobody else. Written by the '
    'owner of the schema alone (`rounds actors`). When the user is gone, the login can do nothing by hand.';
COMMENT ON COLUMN actor_logins.login IS 'The name of the role that logs in.';
COMMENT ON COLUMN actor_logins.user_id IS 'The key of the user as whom it acts.';
COMMENT ON COLUMN actor_logins.bound_at IS 'When it was bound.';
COMMENT ON COLUMN actor_logins.bound_by IS 'The login that bound it.';

COMMENT ON TABLE actor_rule IS
    'One row: whether people may act only by a login that is bound to them. A missing row says yes.';
COMMENT ON COLUMN actor_rule.only_row IS 'Always true: there is one row.';
COMMENT ON COLUMN actor_rule.required IS 'Whether a login that is bound to nobody is refused as an actor.';
COMMENT ON COLUMN actor_rule.changed_at IS 'When that was said.';
COMMENT ON COLUMN actor_rule.changed_by IS 'The login that said it.';

COMMENT ON TABLE actor_changes IS
    'What the owner of the schema said about logins and users, a row each. When the user is gone, the rows are kept as '
    'evidence.';
COMMENT ON COLUMN actor_changes.id IS 'The order of insertion.';
COMMENT ON COLUMN actor_changes.change IS 'BIND, UNBIND, REQUIRE or REQUIRE_OFF.';
COMMENT ON COLUMN actor_changes.login IS 'The login that was bound or unbound; NULL: it is about all.';
COMMENT ON COLUMN actor_changes.user_id IS 'The key of the user to whom it was bound; NULL: it is about all.';
COMMENT ON COLUMN actor_changes.changed_at IS 'When it was said.';
COMMENT ON COLUMN actor_changes.changed_by IS 'The login that said it.';
COMMENT ON COLUMN actor_changes.os_user IS 'The operating system''s user whose process it was, or its number.';
COMMENT ON COLUMN actor_changes.host IS 'The host.';
