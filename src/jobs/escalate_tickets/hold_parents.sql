-- Locks the active users and the team that a rule names, so that the changes of the tickets need not wait for them.
-- Returns one row: whether all of them could be locked.
-- $1 users, keys · $2 the team, a key or NULL
WITH
held_users AS MATERIALIZED (
    SELECT u.id FROM users u WHERE u.id = ANY ($1) AND u.active ORDER BY u.id FOR KEY SHARE SKIP LOCKED
),
held_team AS MATERIALIZED (
    SELECT g.id FROM teams g WHERE g.id = $2 AND g.active FOR KEY SHARE SKIP LOCKED
)
SELECT NOT EXISTS (SELECT FROM users u WHERE u.id = ANY ($1) AND u.active AND u.id NOT IN (SELECT id FROM held_users))
       AND NOT EXISTS (SELECT FROM teams g WHERE g.id = $2 AND g.active AND g.id NOT IN (SELECT id FROM held_team))
       AS all_held
