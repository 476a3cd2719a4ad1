-- Whether the organization and the patient of a run exist, whether the patient is in scope, and whether the user may
-- ask: a case manager may only for organizations of their own.
-- $1 organization bigint · $2 patient bigint · $3 the user who asks bigint
SELECT $1::bigint IS NULL OR EXISTS (SELECT FROM organizations WHERE id = $1) AS organization,
       $2::bigint IS NULL OR EXISTS (SELECT FROM patients WHERE id = $2) AS patient,
       $2::bigint IS NULL OR EXISTS (SELECT FROM patient_organization_affiliations
                                     WHERE patient_id = $2 AND status = 'active') AS in_scope,
       NOT EXISTS (SELECT FROM users WHERE id = $3 AND role = 'CASE_MANAGER')
       OR EXISTS (SELECT FROM organization_users x
                  WHERE x.user_id = $3 AND x.role = 'CASE_MANAGER'
                    AND (x.organization_id = $1
                         OR EXISTS (SELECT FROM patient_organization_affiliations l
                                    WHERE l.patient_id = $2 AND l.organization_id = x.organization_id
                                      AND l.status = 'active'))) AS allowed
