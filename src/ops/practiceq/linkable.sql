-- Whether an appointment may be linked to a patient, by the conditions one by one.
-- $1 patient bigint · $2 client of the account text · $3 who decides, a user's id bigint
SELECT EXISTS (SELECT FROM patients WHERE id = $1) AS patient,
       EXISTS (SELECT FROM patient_organization_affiliations WHERE patient_id = $1 AND status = 'active') AS in_scope,
       EXISTS (SELECT FROM practiceq_clients WHERE client_id = $2 AND patient_id IS DISTINCT FROM $1) AS elsewhere,
       NOT EXISTS (SELECT FROM users WHERE id = $3 AND role = 'CASE_MANAGER')
       OR EXISTS (SELECT FROM organization_users x JOIN patient_organization_affiliations l USING (organization_id)
                  WHERE x.user_id = $3 AND l.patient_id = $1 AND l.status = 'active') AS allowed
