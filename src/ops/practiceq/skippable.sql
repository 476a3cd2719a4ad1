-- Whether the sync may leave out a patient, by the conditions one by one; no row if there is no such patient.
-- $1 patient, a key · $2 who decides, the id of a user, a key
-- The caller provides the organizations of the user, and whether the patient has an e-mail.
WITH own AS (
    {organizations}
)
SELECT p.id::text AS patient, {has_email} AS has_email,
       EXISTS (SELECT FROM practiceq_clients c WHERE c.patient_id = p.id::text) AS has_client,
       EXISTS (SELECT FROM patient_organization_affiliations l WHERE l.patient_id = p.id AND l.status = 'active')
           AS in_scope,
       EXISTS (SELECT FROM own o JOIN patient_organization_affiliations l ON l.organization_id = o.id
               WHERE l.patient_id = p.id AND l.status = 'active') AS allowed
FROM patients p WHERE p.id = $1
