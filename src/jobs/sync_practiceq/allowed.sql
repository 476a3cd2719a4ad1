-- The organization and the patient of a run in the server's form; whether the patient is in scope; and whether the user
-- may ask: for an organization of the user's own, or for a patient of one.
-- $1 organization or NULL, a key · $2 patient or NULL, a key · $3 the user who asks or NULL, a key
-- The caller provides the organizations of the user.
WITH own AS (
    {organizations}
)
SELECT (SELECT o.id::text FROM organizations o WHERE o.id = $1) AS organization,
       (SELECT p.id::text FROM patients p WHERE p.id = $2) AS patient,
       EXISTS (SELECT FROM patient_organization_affiliations l WHERE l.patient_id = $2 AND l.status = 'active')
           AS in_scope,
       EXISTS (SELECT FROM own o WHERE o.id = $1)
       OR EXISTS (SELECT FROM own o JOIN patient_organization_affiliations l ON l.organization_id = o.id
                  WHERE l.patient_id = $2 AND l.status = 'active') AS allowed
