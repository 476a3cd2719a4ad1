-- Returns the missing or inactive users and teams among those that a rule names, as one text, or NULL.
-- $1 ids of users bigint[] · $2 id of a team bigint or NULL
SELECT string_agg(missing.what, ', ' ORDER BY missing.what) AS missing
FROM (
    SELECT format('user %s', ids.id) AS what FROM unnest($1::bigint[]) AS ids (id)
    WHERE NOT EXISTS (SELECT FROM users u WHERE u.id = ids.id AND u.active)
    UNION
    SELECT format('team %s', $2) WHERE $2 IS NOT NULL AND NOT EXISTS (SELECT FROM teams WHERE id = $2 AND active)
) missing
