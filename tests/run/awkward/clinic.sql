-- A row in every table, beside those of the clinic whose appointments are in an account: a facility (1), a doctor (1), an
-- organization (1), users (1 to 3). User 4 is an admin of all facilities.
INSERT INTO users (name, email, role) VALUES ('Admin of all', 'admin@example.org', 'HOSPITAL_ADMIN');
INSERT INTO departments (facility_id, name) VALUES (1, 'Surgery');
INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time) VALUES (1, 1, '08:00', '17:00');
INSERT INTO doctor_absences (doctor_id, first_day, last_day, start_time, end_time, reason)
VALUES (1, '2026-03-02', '2026-03-02', '12:00', '13:00', 'r');
INSERT INTO patients (mrn, first_name, last_name, date_of_birth, email, phone)
VALUES ('M1', 'Pat', 'Doe', '1988-05-23', 'pat@example.org', '+1555');
INSERT INTO patient_organization_affiliations (patient_id, organization_id) VALUES (1, 1);
-- One that is due for mark-no-shows, one for stage-alerts, one of the account.
INSERT INTO appointments (facility_id, doctor_id, department_id, patient_id, appointment_date, start_time, status,
                          checked_in_at, notes)
VALUES (1, 1, 1, 1, '2026-03-02', '06:00', 'SCHEDULED', NULL, 'n'),
       (1, 1, 1, 1, '2026-03-02', '06:00', 'CHECKED_IN', '2026-03-02T13:00Z', 'n'),
       (1, 1, 1, 1, '2026-03-02', '06:00', 'CHECKED_IN', '2026-03-02T13:00Z', 'n');
UPDATE appointments SET vitals_recorded_at = '2026-03-02T13:05Z' WHERE id = 3;
INSERT INTO appointments (facility_id, doctor_id, patient_id, source, external_id, appointment_date, start_time)
VALUES (1, 1, 1, 'PRACTICEQ', 'e1', '2026-03-02', '16:00');
INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
VALUES (1, '2026-03-02', '06:00', '06:30', true, 1);
-- One that is due for notify-cancellations.
INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status, cancelled_at,
                          cancelled_by, cancelled_reason)
VALUES (1, 1, 1, '2026-03-03', '18:00', 'CANCELLED', '2026-03-02T13:00Z', 1, 'r');
INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, ended_at, run_id)
VALUES (NULL, NULL, '2026-01-01', '2026-01-01', 'BEGAN', NULL, NULL),
       ('5', '2026-03-03 18:00', '2026-03-01', '2026-03-01', 'TOLD', '2026-03-01', gen_random_uuid());
INSERT INTO absence_effects (absence_id, facility_id, doctor_id, type, begins_at, ends_at, seen_at, applied_at, ended_at,
                             run_id)
VALUES ('1', '1', '1', 'OTHER', '2026-03-02', '2026-03-03', '2026-03-01', '2026-03-01', '2026-03-01', gen_random_uuid());
INSERT INTO blocked_slots (slot_id, absence_id, doctor_id, starts_at, ends_at, was_blocked, blocked_at, unblocked_at, run_id)
VALUES ('1', '1', '1', '2026-03-02', '2026-03-03', false, '2026-03-01', '2026-03-01', gen_random_uuid());
INSERT INTO absence_visits (absence_id, appointment_id, doctor_id, outcome, visit_start, starts_at, ends_at, told, noted_at,
                            outside_at, run_id)
VALUES ('1', '1', '1', 'CANCELLED', '2026-03-02', '2026-03-02', '2026-03-03', true, '2026-03-01', '2026-03-01',
        gen_random_uuid());
INSERT INTO schedule_versions (doctor_id, weekday, version, changed_at, touched_at, seen_at, ended_at, run_id)
VALUES ('1', 1, 'v', '2026-03-01', '2026-03-01', '2026-03-01', '2026-03-01', gen_random_uuid());
INSERT INTO schedule_flags (appointment_id, facility_id, doctor_id, weekday, version, changed_at, visit_start, flagged_at,
                            listed_at, cleared_at, cleared_by, run_id)
VALUES ('1', '1', '1', 1, 'v', '2026-03-01', '2026-03-02', '2026-03-01', '2026-03-01', '2026-03-01', 'FITS',
        gen_random_uuid());
INSERT INTO px_cases (facility_id, appointment_id, status, description, assigned_department_id, assigned_role,
                      assigned_user_id, sla_minutes, due_at, escalation_level, escalated_at, active)
VALUES (1, 1, 'ESCALATED', 'd', 1, 'NURSE', 1, 60, '2026-03-01', 1, '2026-03-01', true);
INSERT INTO teams (name) VALUES ('T');
INSERT INTO team_members (team_id, user_id, is_leader) VALUES (1, 2, true);
INSERT INTO tickets (number, facility_id, title, priority, status_changed_at, created_by, assignee_id, team_id, sla_due_at,
                     custom_sla_due_at, customer_rating, created_at)
VALUES ('N1', 1, 't', 'LOW', '2026-03-01', 1, 2, 1, '2026-03-02', '2026-03-02', 2, '2026-03-01');
INSERT INTO ticket_followers (ticket_id, user_id) VALUES (1, 3);
INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
VALUES (1, 1, 'b', true, '2026-03-01');
INSERT INTO sla_policies (priority, resolution_minutes, created_at) VALUES ('LOW', 60, '2026-01-01');
INSERT INTO notification_preferences (user_id, email) VALUES (1, true);
INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action, cooldown_hours)
VALUES ('r', 1, 'sla_breach', '{"thresholdHours": 1}', 'notify_manager', '{"message": "look"}', 1),
       ('r', 2, 'customer_rating', '{"rating": 3, "operator": "<"}', 'send_email',
        '{"recipients": ["a@b.example"], "subject": "s", "message": "m"}', NULL),
       ('r', 3, 'no_response', '{"hours": 1}', 'reassign_ticket', '{"userId": 1, "teamId": 1}', NULL);
INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount, submitted_ts, pending_payment_ts)
VALUES (1, 1, 10, 100, '2026-01-01', '2026-01-02'), (1, 1, 15, 100, '2026-01-01', '2026-01-02');

INSERT INTO cron_job_runs (id, job_name, status, source, actor, scheduled_for, started_at, heartbeat_at, deadline_at,
                           completed_at, duration_ms, items_processed, items_failed, error_code, error_message, host,
                           version, metadata, taken_over_by)
SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, job, status, source, '1', t, t, t, t + interval '4 minutes', t,
       1000, 1, 0, 'CODE', 'message', 'h', '0.1.0', '{"arguments": {}, "report": {"scanned": 1}}', NULL
FROM (VALUES (1, 'mark-no-shows', 'COMPLETED', 'cron'), (2, 'stage-alerts', 'FAILED', 'manual')) r (n, job, status, source),
     (SELECT clock_timestamp() - interval '1 hour' AS t) c;
INSERT INTO cron_job_run_errors (run_id, entity, entity_id, error_code, message)
VALUES ('00000000-0000-4000-8000-000000000001', 'appointment', '1', 'CODE', 'm');
INSERT INTO run_batches (run_id, batch) VALUES ('00000000-0000-4000-8000-000000000001', 1);
INSERT INTO item_refusals (job_name, lane, entity, part, entity_id, error_code, message, refusals, first_refused_at,
                           last_refused_at, next_try_at, run_id)
VALUES ('mark-no-shows', '', 'appointment', '', '1', 'CODE', 'm', 1, '2026-03-01', '2026-03-01', '2026-03-01',
        '00000000-0000-4000-8000-000000000001');
INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id, dedupe_key,
                           status, sent_at, expires_at, created_at, run_id)
VALUES ('USER', '1', 'IN_APP', 'JOB_FAILING', 't', 'b', 'cron_job_run', '00000000-0000-4000-8000-000000000002', 'k',
        'SENT', '2026-03-01', '2026-03-03', '2024-03-01', '00000000-0000-4000-8000-000000000002');
INSERT INTO no_show_logs (appointment_id, reason, slot_time, timeout_minutes, triggered_at, slot_released,
                          slot_released_at, created_by, notes, run_id, status_before, visit_start, slot_id,
                          slot_blocked_before, slot_blocked_after, undone_at, undone_by, undo_reason)
VALUES ('1', 'AUTO_TIMEOUT', '2026-03-02', 15, '2026-03-02', true, '2026-03-02', '1', 'n',
        '00000000-0000-4000-8000-000000000001', 'SCHEDULED', '2026-03-02', '1', true, true, '2026-03-02', '1', 'r');
INSERT INTO stage_alerts (appointment_id, alert_type, status, message, triggered_at, acknowledged_by, acknowledged_at,
                          resolved_by, resolved_at, resolution_notes, run_id, resolved_run_id, visit_start)
VALUES ('1', 'NO_VITALS', 'RESOLVED', 'm', '2026-03-02', '1', '2026-03-02', '1', '2026-03-02', 'n',
        '00000000-0000-4000-8000-000000000002', '00000000-0000-4000-8000-000000000002', '2026-03-02'),
       ('1', 'NO_DOCTOR', 'ACTIVE', 'm', '2026-03-02', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '2026-03-02');
INSERT INTO phi_access_log (user_id, patient_id, command, entity, entity_id, accessed_at)
VALUES ('1', '1', 'c', 'e', '1', '2026-03-02');
INSERT INTO px_case_audits (case_id, actor, action, before, after, created_at, run_id)
VALUES ('1', 'system', 'ESCALATED', '{}', '{"escalationLevel": 1}', '2026-03-01', gen_random_uuid());
INSERT INTO ticket_history (ticket_id, action, actor_id, actor, details, created_at, run_id)
VALUES ('1', 'sla_status_checked', '1', 'user', '{"breachRisk": "low", "ruleId": "1"}', '2026-03-01', gen_random_uuid()),
       ('1', 'escalation_executed', NULL, 'system', '{"breachRisk": "low", "ruleId": "1"}', '2026-03-01', NULL);
INSERT INTO escalation_episodes (rule_id, ticket_id, definition, fired_at, refused_at, run_id)
VALUES ('1', '1', 'd', '2026-03-01', '2026-03-01', gen_random_uuid());
INSERT INTO surgical_case_status_history (case_id, from_status, to_status, actor, run_id)
VALUES ('1', 8, 10, 'system', gen_random_uuid());
INSERT INTO npi_files (name, kind, sha256, bytes, period_start, period_end, header, rows, rows_0, rows_1, rows_2, inserted,
                       updated, unchanged, older, duplicates, deactivated, rejected, seconds, archived_to, processed_at,
                       run_id)
VALUES ('f.csv', 'WEEKLY', 's', 1, '2026-01-01', '2026-01-07', 'h', 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', '2026-01-08',
        gen_random_uuid());
INSERT INTO npi_rejects (file_id, line, reason, raw) VALUES (1, 1, 'r', 'raw');
INSERT INTO npi_key (npi, entity_type) VALUES (1000000004, 1);
INSERT INTO npi_data (npi, entity_type, replacement_npi, organization_name, last_name, first_name, middle_name,
                      practice_address, practice_city, practice_state, practice_zip, enumerated_on, updated_on,
                      deactivated_on, reactivated_on, primary_taxonomy, letter, file_id)
VALUES (1000000004, 1, NULL, NULL, 'STONE', 'ADA', 'M', 'a', 'c', 'CO', '80202', '2006-01-01', '2020-01-01', '2010-01-01',
        '2011-01-01', '208600000X', 's', 1);
INSERT INTO search_surgeon (letter, npi, folded, first_name, last_name, address, city, state, zip, primary_taxonomy)
VALUES ('s', 1000000004, 'stone ada', 'ADA', 'STONE', 'a', 'c', 'CO', '80202', '208600000X');
INSERT INTO search_facility (letter, npi, folded, facility_name, address, city, state, zip, primary_taxonomy)
VALUES ('s', 1000000012, 'stone clinic', 'STONE CLINIC', 'a', 'c', 'CO', '80202', '208600000X');
INSERT INTO practiceq_visits (external_id, appointment_id, patient_id, starts_at, ends_at, meeting_url, service_name,
                              location_name, practitioner, client_id, client_marks, status, modified_at, read_at,
                              content_hash, last_seen_sweep, missed_sweep)
VALUES ('e1', '4', '1', '2026-03-02T23:00Z', '2026-03-03T00:00Z', 'https://meet.example/1', 's', 'l', 'prac-1', 'c1',
        '{a, b, c}', 'SCHEDULED', '2026-03-01', '2026-03-01', 'hash', 1, 1);
INSERT INTO practiceq_freshness (patient_id, organization_id, fresh_since) VALUES ('1', '1', '2026-03-01');
INSERT INTO practiceq_clients (client_id, patient_id, linked_by, created_at, run_id)
VALUES ('c1', '1', '1', '2026-03-01', gen_random_uuid());
INSERT INTO practiceq_unmatched (external_id, client_id, reason, starts_at, content, first_seen, run_id)
VALUES ('e2', 'c2', 'NOBODY', '2026-03-03',
        '{"external_id": "e2", "client_name": "N", "client_email": "e", "date_of_birth": "1980-01-01"}', '2026-03-01',
        gen_random_uuid());
INSERT INTO practiceq_unmatched (external_id, client_id, reason, status, patient_id, starts_at, content, first_seen,
                                 decided_by, decided_at)
VALUES ('e3', 'c3', 'SEVERAL', 'linked', '1', '2026-03-03', '{"external_id": "e3"}', '2026-03-01', '1', '2026-03-01');
INSERT INTO practiceq_contradictions (external_id, found_at) VALUES ('e1', '2026-03-01');
INSERT INTO practiceq_skipped_patients (patient_id, reason, skipped_by, skipped_at) VALUES ('1', 'r', '1', '2026-03-01');
INSERT INTO api_requests (account, requested_at, manual, purpose, run_id)
VALUES ('practiceq', '2026-03-01', false, 'p', gen_random_uuid());
INSERT INTO sync_logs (sync_type, organization_id, patient_id, triggered_by_user_id, organization_name,
                       triggered_by_name, started_at, completed_at, duration_ms, status, error_message, run_id)
SELECT 'automated_daily', '1', '1', '1', 'O', 'U', t, t, 1000, 'completed', 'm', gen_random_uuid()
FROM (SELECT clock_timestamp() - interval '1 hour' AS t) c;
INSERT INTO practiceq_inbox (external_id, tries, next_try_at) VALUES ('a1', 1, '2026-03-01');
INSERT INTO practiceq_cursors (lane, query, page, saved_at, run_id)
VALUES ('full', '{}', 2, '2026-03-01', gen_random_uuid());
INSERT INTO operator_actions (id, actor, command, acted_at) VALUES (gen_random_uuid(), '1', 'c', '2026-03-01');
INSERT INTO actor_logins (login, user_id, bound_at, bound_by) VALUES ('l', '1', '2026-03-01', 'o');
INSERT INTO actor_changes (change, login, user_id, changed_at, changed_by, os_user, host)
VALUES ('BIND', 'l', '1', '2026-03-01', 'o', 'u', 'h');
INSERT INTO contact_suppressions (channel, address, reason, code, recipient_kind, recipient_id, created_at)
VALUES ('SMS', '+12125550123', 'OPTED_OUT', 'TWILIO_21610', 'PATIENT', '1', '2026-03-01');
INSERT INTO pauses (job_name, lane, reason, paused_by, paused_at, until, resumed_by, resumed_at, resume_reason)
VALUES ('prune', 'x', 'r', '1', '2026-03-01', '2026-03-02', '1', '2026-03-01', 'r');
INSERT INTO database_identity (database_name, database_oid, recorded_at)
SELECT current_database(), d.oid, '2026-03-01' FROM pg_database d WHERE d.datname = current_database();
