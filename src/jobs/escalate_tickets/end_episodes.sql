-- Ends a batch of episodes, so that the rule may fire again when its condition holds again. Returns one row: the count
-- and the skipped ids.
-- $1 to $9 are the parameters of due.part.sql · $10 ids of tickets, keys
-- $11 only tickets of this facility, a key or NULL
WITH
-- The tickets. A ticket that another session has locked is left to the next run.
locked AS MATERIALIZED (
    SELECT t.id, t.facility_id, t.status, t.status_changed_at, t.priority, t.assignee_id, t.team_id, t.customer_rating,
           t.created_by, t.created_at, t.sla_due_at, t.custom_sla_due_at
    FROM tickets t WHERE t.id = ANY ($10) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the locked rows.
ended AS MATERIALIZED (
    SELECT t.id FROM locked t
    {ended}
    AND (t.facility_id = $11 OR $11 IS NULL)
),
removed AS (
    DELETE FROM escalation_episodes e USING ended WHERE e.rule_id = $2 AND e.ticket_id = ended.id::text
    RETURNING ended.id
)
SELECT (SELECT count(*) FROM removed) AS ended,
       {skipped_columns}
