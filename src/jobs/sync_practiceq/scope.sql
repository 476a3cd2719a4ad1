-- The patients in scope, each once; whether nothing is known by which the account could be searched for them, and
-- whether a person has said so.
-- $1 only of this organization, a key · $2 only this patient, a key; NULL: all
SELECT p.id::text AS id, NOT {has_email}
                         AND NOT EXISTS (SELECT FROM practiceq_clients c WHERE c.patient_id = p.id::text) AS unknown,
       EXISTS (SELECT FROM practiceq_skipped_patients s WHERE s.patient_id = p.id::text) AS skipped
FROM patients p
WHERE EXISTS (SELECT FROM patient_organization_affiliations l
              WHERE l.patient_id = p.id AND l.status = 'active' AND (l.organization_id = $1 OR $1 IS NULL))
  AND (p.id = $2 OR $2 IS NULL)
ORDER BY p.id
