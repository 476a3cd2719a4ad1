-- Whether an appointment may be linked to a patient, by the conditions one by one: the patient in the server's form, or
-- NULL if there is none.
-- $1 patient, a key · $2 who decides, the id of a user, a key
-- The caller provides the organizations of the user.
WITH own AS (
    {organizations}
)
SELECT (SELECT p.id::text FROM patients p WHERE p.id = $1) AS patient,
       EXISTS (SELECT FROM patient_organization_affiliations l WHERE l.patient_id = $1 AND l.status = 'active')
           AS in_scope,
       EXISTS (SELECT FROM own o JOIN patient_organization_affiliations l ON l.organization_id = o.id
               WHERE l.patient_id = $1 AND l.status = 'active') AS allowed
