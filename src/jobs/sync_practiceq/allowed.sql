-- The organization and the patient of a run in the server's form; whether the patient is in scope; and whether the user
-- may ask: a case manager may only for organizations of their own.
-- $1 organization or NULL, a key · $2 patient or NULL, a key · $3 the user who asks or NULL, a key
SELECT (SELECT o.id::text FROM organizations o WHERE o.id = $1) AS organization,
       (SELECT p.id::text FROM patients p WHERE p.id = $2) AS patient,
       EXISTS (SELECT FROM patient_organization_affiliations l WHERE l.patient_id = $2 AND l.status = 'active')
           AS in_scope,
       NOT EXISTS (SELECT FROM users u WHERE u.id = $3 AND u.role = 'CASE_MANAGER')
       OR EXISTS (SELECT FROM organization_users x
                  WHERE x.user_id = $3 AND x.role = 'CASE_MANAGER'
                    AND (x.organization_id = $1
                         OR EXISTS (SELECT FROM patient_organization_affiliations l
                                    WHERE l.patient_id = $2 AND l.organization_id = x.organization_id
                                      AND l.status = 'active'))) AS allowed
