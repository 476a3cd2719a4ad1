-- Keeps items that were refused with one error, and when they are tried again: 15 minutes after the first refusal,
-- twice as long after each further one, at most 23 hours, so that a daily run does not miss it by a second. Returns
-- nothing.
-- $1 job_name text · $2 lane text · $3 entity text · $4 part text · $5 ids text[] · $6 error_code text
-- $7 message text, redacted · $8 now timestamptz · $9 run id uuid
INSERT INTO item_refusals AS r (job_name, lane, entity, part, entity_id, error_code, message, refusals,
                                first_refused_at, last_refused_at, next_try_at, run_id)
SELECT $1, $2, $3, $4, ids.id, $6, $7, 1, $8, $8, $8 + interval '15 minutes', $9
FROM (SELECT DISTINCT id FROM unnest($5) AS ids (id)) ids
ON CONFLICT (job_name, lane, entity, part, entity_id)
DO UPDATE SET error_code = EXCLUDED.error_code, message = EXCLUDED.message, refusals = LEAST(r.refusals, 1000000) + 1,
              last_refused_at = EXCLUDED.last_refused_at,
              next_try_at = EXCLUDED.last_refused_at
                            + LEAST(interval '15 minutes' * power(2, LEAST(r.refusals, 10)), interval '23 hours'),
              run_id = EXCLUDED.run_id
