-- The empty CTE messages, for actions that send no message. It follows the comma after an action's CTEs: continue with
-- a comma.
messages AS (
    SELECT NULL::text AS id, NULL::text AS recipient_kind, NULL::text AS recipient_id, NULL::text AS address,
           NULL::text AS channel, NULL::text AS type, NULL::text AS title, NULL::text AS body, NULL::bigint AS number
    WHERE false
)
