-- Returns the items of a lane that were refused, and whether each waits. A refusal in the future was recorded under a
-- clock that was put right since, or in a replay; it does not make an item wait.
-- $1 job_name text · $2 lane text · $3 now timestamptz
SELECT r.id, r.entity, r.part, r.entity_id, r.error_code,
       r.next_try_at > $3 AND r.last_refused_at <= $3 AS waits,
       r.next_try_at <= $3 - interval '1 day' AS is_overdue
FROM item_refusals r WHERE r.job_name = $1 AND r.lane = $2
