-- A clinic whose appointments live in an account elsewhere. Variables: patients.
-- The loop that is compared keeps all that it reads in the clinic's own table.
ALTER TABLE appointments ADD COLUMN starts_at timestamptz, ADD COLUMN ends_at timestamptz, ADD COLUMN service_name text;
INSERT INTO facilities (name, time_zone) VALUES ('Clinic', 'America/Denver');
INSERT INTO users (facility_id, name, role) VALUES (1, 'Manager', 'CASE_MANAGER'), (1, 'Doctor', 'DOCTOR');
INSERT INTO doctors (facility_id, user_id, first_name, last_name) VALUES (1, 2, 'Ada', 'Stone');
INSERT INTO provider_intakeq_settings (doctor_id, practitioner_id) VALUES (1, 'prac-1');
INSERT INTO organizations (name, facility_id) SELECT 'Organization ' || n, 1 FROM generate_series(1, 5) n;
INSERT INTO organization_users (organization_id, user_id) SELECT n, 1 FROM generate_series(1, 5) n;
INSERT INTO patients (mrn, first_name, last_name, email, date_of_birth)
SELECT 'M' || n, 'Pat', 'Number' || n, format('pat.number%s@example.com', n), '1980-01-01' FROM generate_series(1, :patients) n;
INSERT INTO patient_organization_affiliations (patient_id, organization_id) SELECT n, 1 + n % 5 FROM generate_series(1, :patients) n;
ANALYZE;
