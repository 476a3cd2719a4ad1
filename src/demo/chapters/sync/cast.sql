-- An organization whose patients have appointments in an account elsewhere, and the doctor whom the account knows.
INSERT INTO users (id, facility_id, name, role)
OVERRIDING SYSTEM VALUE
VALUES (241, 2, 'Case manager', 'CASE_MANAGER'), (242, 2, 'Doctor 41', 'DOCTOR');

INSERT INTO doctors (id, facility_id, user_id, first_name, last_name, slot_duration_minutes)
OVERRIDING SYSTEM VALUE VALUES (41, 2, 242, 'Quincy', 'Harrowgate', 30);

INSERT INTO organizations (id, name, facility_id) OVERRIDING SYSTEM VALUE VALUES (51, 'Mesa Recovery', 2);
INSERT INTO organization_users (organization_id, user_id) VALUES (51, 241);
INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id, practitioner_email)
VALUES (41, 'demo-practitioner', 'doctor-41@example.org');

INSERT INTO patients (id, mrn, first_name, last_name, email, date_of_birth)
OVERRIDING SYSTEM VALUE
VALUES (9021, 'MRN-9021', 'Hestia', 'Hawthornby', 'patient-9021@example.org', '1971-05-04'),
       (9022, 'MRN-9022', 'Ignatz', 'Inglewick', 'patient-9022@example.org',
        '1988-11-30');
INSERT INTO patient_organization_affiliations (patient_id, organization_id) VALUES (9021, 51), (9022, 51);
