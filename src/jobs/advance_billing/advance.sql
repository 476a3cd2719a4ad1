-- Advances a batch of cases by one step, and records it. Returns one row: counts and the skipped ids.
-- $1 to $3 are the parameters of candidates.part.sql · $4 ids of cases, keys · $5 the new status integer
-- $6 whether it is forced boolean · $7 run id uuid · $8 actor text or NULL, the id of a user
-- $9 whether the row of the new status is held boolean · $10 only cases of this facility, a key or NULL
-- The caller provides the column with the instant at which a case got the status $5, and the columns of the worth.
WITH
-- The cases. The transaction has locked them in an earlier statement, so that this one sees the changes of every
-- transaction that it waited for. Cases that are still locked are skipped, and all are if somebody holds their new status.
locked AS MATERIALIZED (
    SELECT c.id, c.facility_id, c.active, c.case_status, c.pay_amount
    FROM surgical_cases c WHERE c.id = ANY ($4) AND $9 ORDER BY c.id FOR NO KEY UPDATE SKIP LOCKED
),
-- The rule again, on the current rows. A step that is no transition needs force.
due AS MATERIALIZED (
    SELECT c.id, c.case_status, c.pay_amount FROM locked c
    {due}
    AND (c.facility_id = $10 OR $10 IS NULL)
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
    SELECT a.id::text, $2, $5, COALESCE($8, 'system'), $7, $6, $1 FROM advanced a
)
SELECT count(*) AS advanced, {worth},
       {skipped_columns}
FROM advanced c
