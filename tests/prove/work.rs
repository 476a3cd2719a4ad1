//! The jobs that change rows of the database, and what is to be seen of each thing that they do.
//!
//! The jobs that load from elsewhere, `sync-practiceq` and `refresh-npi`, have tests of kills of their own:
//! `tests/jobs/sync_practiceq/killed.rs` and `tests/jobs/refresh_npi/killed.rs`.

/// The rows that a run writes of what it did: a table with the columns id and run_id, and how often a thing is there.
pub struct Record {
    pub table: &'static str,
    /// The column that names the thing.
    pub thing: &'static str,
    pub rows: i64,
}

/// A job with things to do.
pub struct Work {
    /// The job, and its lane where it has some.
    pub name: &'static str,
    pub args: &'static [&'static str],
    pub record: Record,
    /// Where the things are to be seen besides: a relation, the column that names the thing, how often it is there.
    pub effects: &'static [(&'static str, &'static str, i64)],
    /// The count of the report that is the number of rows of the record.
    pub done: &'static str,
    /// Fills a clinic with so many things, in SQL.
    pub fill: fn(i64) -> String,
}

impl Work {
    pub fn template(&self) -> String {
        format!("template_{}", self.name.replace(['-', ' '], "_"))
    }
}

pub static WORKS: [&Work; 11] = [
    &NO_SHOWS,
    &ALERTS,
    &CANCELLATIONS,
    &ABSENCES,
    &CONFLICTS,
    &CASES,
    &TICKETS,
    &TICKET_SLA,
    &PENDING_PAYMENT,
    &PAID,
    &PRUNE,
];

static NO_SHOWS: Work = Work {
    name: "mark-no-shows",
    args: &["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"],
    record: Record { table: "no_show_logs", thing: "appointment_id", rows: 1 },
    effects: &[
        ("(SELECT * FROM appointments WHERE status = 'NO_SHOW')", "id", 1),
        ("(SELECT * FROM doctor_slots WHERE appointment_id IS NULL AND NOT is_booked)", "id", 1),
        ("notifications", "entity_id", 2),
    ],
    done: "marked",
    fill: |things| {
        format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
             SELECT 1, 1, 1, '2026-03-02', '09:00' FROM generate_series(1, {things});
             INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             SELECT 1, '2026-03-02', time '00:00' + n * interval '1 second', '23:59', true, n
             FROM generate_series(1, {things}) n"
        )
    },
};

static ALERTS: Work = Work {
    name: "stage-alerts",
    args: &["stage-alerts", "--as-of", "2026-03-02T09:20:00-05:00"],
    record: Record { table: "stage_alerts", thing: "appointment_id", rows: 1 },
    effects: &[
        ("(SELECT * FROM stage_alerts WHERE alert_type = 'NO_VITALS' AND status = 'ACTIVE')", "appointment_id", 1),
        ("notifications", "entity_id", 1),
    ],
    done: "raised",
    fill: |things| {
        format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       checked_in_at)
             SELECT 1, 1, 1, '2026-03-02', '09:00', 'CHECKED_IN', '2026-03-02T09:05-05'
             FROM generate_series(1, {things})"
        )
    },
};

/// The first run of the ledger would tell nobody, so it has begun.
static CANCELLATIONS: Work = Work {
    name: "notify-cancellations",
    args: &["notify-cancellations", "--as-of", "2026-03-02T07:30:00-05:00"],
    record: Record { table: "notifications", thing: "entity_id", rows: 1 },
    effects: &[
        ("(SELECT * FROM doctor_slots WHERE appointment_id IS NULL AND NOT is_booked)", "id", 1),
        ("(SELECT * FROM visit_cancellations WHERE outcome <> 'BEGAN')", "appointment_id", 1),
    ],
    done: "handled",
    fill: |things| {
        format!(
            "INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
             VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN');
             INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, status,
                                       cancelled_at)
             SELECT 1, 1, 1, '2026-03-02', '09:00', 'CANCELLED', '2026-03-02T07:29-05' FROM generate_series(1, {things});
             INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             SELECT 1, '2026-03-02', time '00:00' + n * interval '1 second', '23:59', true, n
             FROM generate_series(1, {things}) n"
        )
    },
};

static CONFLICTS: Work = Work {
    name: "flag-schedule-conflicts",
    args: &["flag-schedule-conflicts", "--as-of", "2026-03-01T12:00:00-05:00"],
    record: Record { table: "schedule_flags", thing: "appointment_id", rows: 1 },
    effects: &[("(SELECT * FROM notifications WHERE recipient_kind = 'PATIENT')", "entity_id", 2)],
    done: "flagged",
    fill: |things| {
        format!(
            "INSERT INTO users (facility_id, name, role) VALUES (1, 'A', 'HOSPITAL_ADMIN');
             INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, created_at, updated_at)
             VALUES (1, 1, '10:00', '17:00', '2026-02-20', '2026-02-20');
             INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time, created_at)
             SELECT 1, 1, 1, '2026-03-02', '09:00', '2026-02-01' FROM generate_series(1, {things})"
        )
    },
};

/// Visits of a doctor with an emergency, which become cancelled and tell their patients.
static ABSENCES: Work = Work {
    name: "apply-absences",
    args: &["apply-absences", "--as-of", "2026-03-02T07:00:00-05:00", "--max-cancel", "100000"],
    record: Record { table: "absence_visits", thing: "appointment_id", rows: 1 },
    effects: &[
        ("(SELECT * FROM appointments WHERE status = 'CANCELLED')", "id", 1),
        ("(SELECT * FROM doctor_slots WHERE appointment_id IS NULL AND NOT is_booked AND is_blocked)", "id", 1),
        ("(SELECT * FROM blocked_slots WHERE unblocked_at IS NULL)", "slot_id", 1),
        ("visit_cancellations", "appointment_id", 1),
        ("notifications", "entity_id", 2),
    ],
    done: "appointments_cancelled",
    fill: |things| {
        format!(
            "INSERT INTO appointments (facility_id, doctor_id, patient_id, appointment_date, start_time)
             SELECT 1, 1, 1, '2026-03-02', '09:00' FROM generate_series(1, {things});
             INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             SELECT 1, '2026-03-02', time '09:00' + n * interval '1 second', '23:59', true, n
             FROM generate_series(1, {things}) n;
             INSERT INTO doctor_absences (doctor_id, type, first_day, last_day)
             VALUES (1, 'EMERGENCY', '2026-03-02', '2026-03-02')"
        )
    },
};

static CASES: Work = Work {
    name: "escalate-sla",
    args: &["escalate-sla", "--as-of", "2026-03-02T12:00:00Z"],
    record: Record { table: "px_case_audits", thing: "case_id", rows: 1 },
    effects: &[
        ("(SELECT * FROM px_cases WHERE status = 'ESCALATED' AND escalation_level = 1)", "id", 1),
        ("notifications", "entity_id", 1),
    ],
    done: "escalated",
    fill: |things| {
        format!(
            "INSERT INTO px_cases (facility_id, assigned_department_id, due_at)
             SELECT 1, 1, '2026-03-02T11:00Z' FROM generate_series(1, {things})"
        )
    },
};

/// Five rules with an action each. The last makes the condition of all false, once they have all fired.
const RULES: &str = r#"
    INSERT INTO escalation_rules (name, position, condition_type, condition, action_type, action)
    SELECT 'R', row_number() OVER (), 'priority_level', '{"priorities": ["MEDIUM"]}', type, action::jsonb
    FROM (VALUES ('add_follower', '{"userIds": [4]}'), ('notify_manager', '{"message": "m"}'),
                 ('send_email', '{"recipients": ["c@example.org"], "subject": "s", "message": "m"}'),
                 ('reassign_ticket', '{"userId": 3, "teamId": 1}'), ('increase_priority', '{}')) r (type, action)"#;

static TICKETS: Work = Work {
    name: "escalate-tickets",
    args: &["escalate-tickets", "--as-of", "2026-03-02T12:00:00Z"],
    record: Record { table: "ticket_history", thing: "ticket_id", rows: 5 },
    effects: &[
        ("(SELECT DISTINCT ticket_id, details ->> 'ruleId' FROM ticket_history)", "ticket_id", 5),
        ("(SELECT * FROM tickets WHERE priority = 'HIGH' AND assignee_id = 3)", "id", 1),
        ("ticket_followers", "ticket_id", 1),
        ("notifications", "entity_id", 2),
    ],
    done: "executed",
    fill: |things| {
        format!(
            "{RULES};
             INSERT INTO tickets (number, title, facility_id, team_id, created_at)
             SELECT 'T' || n, 'help', 1, 1, '2026-03-02' FROM generate_series(1, {things}) n"
        )
    },
};

static TICKET_SLA: Work = Work {
    name: "monitor-ticket-sla",
    args: &["monitor-ticket-sla", "--as-of", "2026-03-13T00:00:00Z"],
    record: Record { table: "ticket_history", thing: "ticket_id", rows: 1 },
    effects: &[("notifications", "entity_id", 2)],
    done: "recorded",
    fill: |things| {
        format!(
            "INSERT INTO tickets (number, title, facility_id, created_by, assignee_id, created_at, sla_due_at)
             SELECT 'T' || n, 'help', 1, 2, 3, '2026-03-02', '2026-03-12' FROM generate_series(1, {things}) n"
        )
    },
};

fn surgical_cases(status: i32, cases: i64) -> String {
    format!(
        "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount)
         SELECT 1, 1, {status}, 10.01 FROM generate_series(1, {cases})"
    )
}

const HISTORY: Record = Record { table: "surgical_case_status_history", thing: "case_id", rows: 1 };

static PENDING_PAYMENT: Work = Work {
    name: "advance-billing pending-payment",
    args: &["advance-billing", "--stage", "pending-payment", "--as-of", "2026-03-02T08:00:00Z"],
    record: HISTORY,
    effects: &[("(SELECT * FROM surgical_cases WHERE case_status = 15)", "id", 1)],
    done: "advanced",
    fill: |things| surgical_cases(10, things),
};

static PAID: Work = Work {
    name: "advance-billing paid",
    args: &["advance-billing", "--stage", "paid", "--as-of", "2026-03-02T08:00:00Z"],
    record: HISTORY,
    effects: &[("(SELECT * FROM surgical_cases WHERE case_status = 20)", "id", 1)],
    done: "advanced",
    fill: |things| surgical_cases(15, things),
};

/// It leaves no record of its own, so a trigger makes one, for the run at work.
static PRUNE: Work = Work {
    name: "prune",
    args: &["prune"],
    record: Record { table: "gone", thing: "notice", rows: 1 },
    effects: &[("(SELECT * FROM gone WHERE notice NOT IN (SELECT id FROM notifications))", "notice", 1)],
    done: "notifications",
    fill: |things| {
        format!(
            "INSERT INTO notifications (recipient_kind, recipient_id, channel, type, title, body, entity, entity_id,
                                        dedupe_key, status, sent_at, created_at)
             SELECT 'PATIENT', 1, 'SMS', 'T', 't', 'b', 'appointment', n, n, 'SENT', '2025-01-01', '2025-01-01'
             FROM generate_series(1, {things}) n;
             CREATE TABLE gone (id bigint GENERATED ALWAYS AS IDENTITY, notice bigint, run_id uuid);
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                 INSERT INTO gone (notice, run_id)
                 SELECT OLD.id, (SELECT id FROM cron_job_runs WHERE job_name = 'prune' AND status = 'RUNNING');
                 RETURN NULL;
             END $$;
             CREATE TRIGGER note AFTER DELETE ON notifications FOR EACH ROW EXECUTE FUNCTION note()"
        )
    },
};
