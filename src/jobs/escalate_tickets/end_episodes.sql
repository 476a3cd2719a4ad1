-- Ends a batch of episodes: the rule may fire again once its condition is true again. One row of counts comes back.
-- $1 .. $9 as in the rule · $10 ids of tickets bigint[]
WITH
-- The tickets. One that the clinic's application holds right now is left to the next run.
locked AS MATERIALIZED (
    SELECT t.* FROM tickets t WHERE t.id = ANY ($10) ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on what the rows say now that they are locked.
ended AS MATERIALIZED (
    SELECT t.id FROM locked t
    {ended}
),
removed AS (
    DELETE FROM escalation_episodes e USING ended WHERE e.rule_id = $2 AND e.ticket_id = ended.id RETURNING ended.id
)
SELECT (SELECT count(*) FROM removed) AS ended,
       {skipped_columns}
