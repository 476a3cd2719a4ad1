-- A condition: an unmatched appointment `u` concerns the user whose organizations are `own`. It is of a client who may
-- be a patient of one of them; or of nobody whom an organization looks after, with a doctor of the user's facility.
-- What neither tells is for the group.
-- The caller provides the relations u, a row of practiceq_unmatched, and own (id, facility_id); and the parameters: the
-- user, a key, and whether the user belongs to the group boolean. It is one expression in parentheses.
({group}
 OR EXISTS (SELECT FROM patients p
            JOIN patient_organization_affiliations l ON l.patient_id = p.id AND l.status = 'active'
            JOIN own o ON o.id = l.organization_id
            WHERE p.email IS NOT NULL AND lower(btrim(p.email)) = lower(btrim(u.content ->> 'client_email')))
 OR (NOT EXISTS (SELECT FROM patients p
                 JOIN patient_organization_affiliations l ON l.patient_id = p.id AND l.status = 'active'
                 WHERE p.email IS NOT NULL AND lower(btrim(p.email)) = lower(btrim(u.content ->> 'client_email')))
     AND EXISTS (SELECT FROM provider_intakeq_settings s JOIN doctors d ON d.id = s.doctor_id
                 WHERE (s.practitioner_id = u.content ->> 'practitioner_id'
                        OR lower(s.practitioner_email) = lower(u.content ->> 'practitioner_email'))
                   AND (d.facility_id IN (SELECT o.facility_id FROM own o)
                        OR EXISTS (SELECT FROM users x WHERE x.id = {user} AND x.facility_id = d.facility_id
                                   AND x.role::text IN ('HOSPITAL_ADMIN', 'SUPERVISOR'))))))
