-- The empty CTE notified, for actions that send no message. It is a CTE without a comma at the end: the caller
-- continues with the final SELECT.
notified AS (SELECT NULL::text AS status WHERE false)
