-- Joins that add to a visit said (of_clinic), the instant of its cancellation as the clinic has it or NULL, and seen
-- (id, outcome), the row of the ledger that has this cancellation or NULL. A row has it if it is open, for the same
-- start, and the clinic does not say that the visit was cancelled again after it was seen.
-- It follows clinic/visit.part.sql. The caller provides the expression of the clinic's instant. Continue with a join or
-- WHERE.
CROSS JOIN LATERAL (SELECT {cancelled_at} AS of_clinic) said
LEFT JOIN visit_cancellations seen
       ON seen.appointment_id = a.id::text AND seen.ended_at IS NULL
      AND seen.visit_start IS NOT DISTINCT FROM visit.day + visit.start_time
      AND (said.of_clinic > GREATEST(seen.cancelled_at, seen.seen_at)) IS NOT TRUE
