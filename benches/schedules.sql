-- The clinics of clinic.sql, with the hours of their doctors: of one of three they were changed, and most visits to come
-- do not fit.
-- psql variables: those of clinic.sql
\set ON_ERROR_STOP on
-- All visits were made before the change.
ALTER TABLE appointments ALTER created_at SET DEFAULT '2026-01-01';
\ir clinic.sql

INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, break_start, break_end, created_at, updated_at)
SELECT d.id, n, CASE d.id % 3 WHEN 0 THEN time '17:00' ELSE '08:00' END, '20:00',
       CASE d.id % 3 WHEN 0 THEN time '18:00' ELSE '16:30' END, CASE d.id % 3 WHEN 0 THEN time '18:30' ELSE '17:00' END,
       '2026-02-01', '2026-03-01'
FROM doctors d CROSS JOIN generate_series(1, 7) n;
INSERT INTO users (facility_id, name, role) SELECT f.id, 'Admin', 'HOSPITAL_ADMIN' FROM facilities f;
VACUUM ANALYZE;
