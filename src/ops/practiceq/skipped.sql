-- The patients whom the sync leaves out, and whether it still does: one with an e-mail or a known client is synced. The
-- last that was said comes first. A patient who is gone is not listed.
-- $1 how many bigint · The caller provides whether the patient has an e-mail.
SELECT s.patient_id, s.skipped_by, s.skipped_at,
       NOT ({has_email} OR EXISTS (SELECT FROM practiceq_clients c WHERE c.patient_id = s.patient_id)) AS in_effect
FROM practiceq_skipped_patients s
JOIN patients p ON p.id::text = s.patient_id
ORDER BY s.skipped_at DESC, s.patient_id
LIMIT $1
