-- Appointments that wait for a decision, each with its doctor, if the practitioner is one of the clinic's, and with the
-- patients who have the same e-mail. First those to come, the next
-- of them first; then those that are over, the last of them first.
-- $1 whether also those that were decided boolean · $2 how many bigint · $3 now timestamptz
-- The caller provides the condition that the user may see it, and the organizations that it needs.
{own}SELECT u.id, u.external_id, u.client_id, u.reason, u.status, u.starts_at, u.first_seen,
       (SELECT s.doctor_id::text FROM provider_intakeq_settings s
        WHERE s.practitioner_id = u.content ->> 'practitioner_id'
           OR lower(s.practitioner_email) = lower(u.content ->> 'practitioner_email')
        ORDER BY (s.practitioner_id = u.content ->> 'practitioner_id') IS TRUE DESC, s.id LIMIT 1) AS doctor_id,
       ARRAY(SELECT p.id::text FROM patients p
             WHERE p.email IS NOT NULL AND lower(btrim(p.email)) = lower(btrim(u.content ->> 'client_email'))
             ORDER BY p.id LIMIT 10) AS candidates
FROM practiceq_unmatched u
WHERE ($1 OR u.status = 'open') AND {concerns}
ORDER BY u.starts_at < $3, CASE WHEN u.starts_at >= $3 THEN u.starts_at END, u.starts_at DESC, u.id
LIMIT $2
