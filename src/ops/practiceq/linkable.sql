-- Whether an appointment may be linked to a patient, by the conditions one by one: the patient in the server's form, or
-- NULL if there is none.
-- $1 patient, a key · $2 who decides, the id of a user, a key
SELECT (SELECT p.id::text FROM patients p WHERE p.id = $1) AS patient,
       EXISTS (SELECT FROM patient_organization_affiliations l WHERE l.patient_id = $1 AND l.status = 'active')
           AS in_scope,
       NOT EXISTS (SELECT FROM users u WHERE u.id = $2 AND u.role = 'CASE_MANAGER')
       OR EXISTS (SELECT FROM organization_users x JOIN patient_organization_affiliations l USING (organization_id)
                  WHERE x.user_id = $2 AND l.patient_id = $1 AND l.status = 'active') AS allowed
