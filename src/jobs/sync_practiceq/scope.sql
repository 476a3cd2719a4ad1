-- The patients in scope, each once, and whether nothing is known by which the account could be searched for them.
-- $1 only of this organization bigint · $2 only this patient bigint; NULL: all
SELECT p.id, (p.email IS NULL OR btrim(p.email) = '')
             AND NOT EXISTS (SELECT FROM practiceq_clients c WHERE c.patient_id = p.id) AS unknown
FROM patients p
WHERE EXISTS (SELECT FROM patient_organization_affiliations l
              WHERE l.patient_id = p.id AND l.status = 'active' AND ($1::bigint IS NULL OR l.organization_id = $1))
  AND ($2::bigint IS NULL OR p.id = $2)
ORDER BY p.id
