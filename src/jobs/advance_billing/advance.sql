-- Takes a batch of cases one step, and records it. One row of counts comes back.
-- $1 .. $3 as in the rule · $4 ids of cases bigint[] · $5 status that it ends with integer · $6 whether it is forced boolean
-- $7 run id uuid · $8 who ran it by hand, a user's id bigint or NULL
-- {timestamp} is the column that says since when a case has the status $5.
WITH
-- The cases, which the transaction has locked in a statement before this one, so that what is judged here is younger than
-- any step that was waited for. Any other is left alone.
locked AS MATERIALIZED (
    SELECT c.* FROM surgical_cases c WHERE c.id = ANY ($4) ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on what the rows say now. Without force, a step that is no transition is none.
due AS MATERIALIZED (
    SELECT c.id, c.case_status, c.pay_amount FROM locked c
    {due}
    AND ($6 OR EXISTS (SELECT FROM surgical_case_transitions t WHERE t.from_status = $2 AND t.to_status = $5))
    ORDER BY c.id
),
advanced AS (
    UPDATE surgical_cases c SET case_status = $5, {timestamp} = $1, updated_ts = $1 FROM due
    WHERE c.id = due.id AND c.case_status = due.case_status
    RETURNING due.*
),
recorded AS (
    INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id, forced, created_at)
    SELECT a.id, a.case_status, $5, COALESCE($8::text, 'system'), $7, $6, $1 FROM advanced a
)
SELECT count(*) AS advanced, (COALESCE(sum(pay_amount), 0) * 100)::bigint AS cents,
       {skipped_columns}
FROM advanced
