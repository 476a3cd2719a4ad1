//! A person of one facility starts a job: what the run treats, and in what it counts.

use serde_json::{Value, json};

use crate::support::clinic::Visit;
use crate::support::tickets::TICKET;
use crate::support::{Clinic, Program, gate, program};

const MARK: [&str; 3] = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00"];
const ONE: &str = "SELECT coalesce(jsonb_agg(DISTINCT n(facility_id) ORDER BY n(facility_id)), '[]') AS of FROM";

/// Two facilities in New York; the first has two visits that are due, the second has one.
struct Two {
    clinic: Clinic,
    first: i64,
    second: i64,
    doctors: [i64; 2],
}

impl Two {
    async fn new() -> Self {
        let clinic = Clinic::new().await;
        let ((first, ada), (second, bob)) = (clinic.new_york(15).await, clinic.new_york(15).await);
        clinic.many(first, ada, 2).await;
        clinic.many(second, bob, 1).await;
        Self { clinic, first, second, doctors: [ada, bob] }
    }

    /// One thing more in a facility for each of the other jobs.
    async fn more(&self, facility: i64, doctor: i64) {
        let clinic = &self.clinic;
        let (date, time, status, checked_in) = ("2026-03-02", "08:00", "CHECKED_IN", Some("2026-03-02T08:00-05"));
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
        clinic.user(facility, "NURSE").await;
        let cancelled = clinic.scheduled(facility, doctor, "2026-03-02", "15:00").await;
        clinic
            .sql(&format!(
                "UPDATE appointments SET status = 'CANCELLED', cancelled_at = '2026-03-02' WHERE id = {cancelled}"
            ))
            .await;
        let (patient, due) = (clinic.patient().await, "2026-03-02T10:00Z");
        clinic
            .sql(&format!(
                "INSERT INTO px_cases (facility_id, due_at) VALUES ({facility}, '{due}');
                 INSERT INTO surgical_cases (facility_id, patient_id, case_status) VALUES ({facility}, {patient}, 10)"
            ))
            .await;
        let ticket = clinic.ticket(crate::support::tickets::Ticket { due: Some(due), ..TICKET }).await;
        clinic.sql(&format!("UPDATE tickets SET facility_id = {facility} WHERE id = {ticket}")).await;
    }

    async fn user(&self, facility: i64, role: &str) -> String {
        self.clinic.user(facility, role).await.to_string()
    }

    /// The facilities of rows.
    async fn of(&self, rows: &str) -> Value {
        self.clinic.json(&format!("{ONE} {rows}")).await["of"].clone()
    }

    async fn missed(&self) -> Value {
        self.of("appointments WHERE status = 'NO_SHOW'").await
    }
}

#[tokio::test]
async fn a_supervisor_starts_a_job_for_the_own_facility_and_it_counts_for_no_other() {
    let two = Two::new().await;
    let lane = format!("facility:{}", two.second);
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    let dry = two.clinic.run(&[&MARK[..], &["--dry-run", "--list", "--actor", &supervisor]].concat()).await.expect(0);
    let listed = dry.report()["list"].clone();
    assert_eq!((dry.count("marked"), listed.as_array().map(Vec::len)), (1, Some(1)), "{dry:?}");
    assert!(listed[0]["why"].as_str().is_some_and(|why| why.starts_with("nobody came for")), "{listed}");
    let outcome = two.clinic.run(&[&MARK[..], &["--actor", &supervisor, "--metrics", "emf"]].concat()).await.expect(0);
    assert!(!outcome.stdout.contains("_aws"), "they would be taken for those of the scheduled lane: {outcome:?}");
    let report: Value = serde_json::from_str(outcome.stdout.lines().next().expect("a report")).expect("JSON");
    assert_eq!((&report["marked"], &report["lane"]), (&json!(1), &json!(lane)));
    assert_eq!(two.missed().await, json!([two.second]));
    let run = two.clinic.json("SELECT lane, actor, source, items_processed FROM cron_job_runs").await;
    assert_eq!(run, json!({"lane": lane, "actor": supervisor, "source": "manual", "items_processed": 1}));

    // No success of the scheduled lane: it is neither skipped, nor beyond its first run.
    let program = two.clinic.program.clone().env("ROUNDS_FIRST_RUN_MAX", "1");
    let scheduled = [&MARK[..], &["--source", "cron", "--unless-succeeded-within", "10m"]].concat();
    assert_eq!(program.run(&scheduled).await.expect(5).report()["error_code"], "BRAKE");
    assert_eq!(two.clinic.run(&scheduled).await.report()["error_code"], "BRAKED_LATELY");
    assert_eq!(two.clinic.run(&[&MARK[..], &["--source", "cron"]].concat()).await.expect(0).count("marked"), 2);
    assert_eq!(two.missed().await, json!([two.first, two.second]));
    // And the success of the scheduled lane is none of the facility's.
    let admin = two.user(two.first, "HOSPITAL_ADMIN").await;
    let again = [&MARK[..], &["--actor", &admin]].concat();
    let again = two.clinic.run(&[&again[..], &["--unless-succeeded-within", "10m"]].concat()).await.expect(0);
    assert_eq!((&again.report()["status"], again.count("marked")), (&json!("COMPLETED"), 0));
}

#[tokio::test]
async fn failures_of_a_facilitys_runs_are_no_streak_of_the_scheduled_lane() {
    let two = Two::new().await;
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    two.clinic.run(&MARK).await.expect(0);
    two.clinic.sql("UPDATE appointments SET status = 'SCHEDULED'; DELETE FROM no_show_logs").await;
    two.clinic.sql("ALTER TABLE no_show_logs RENAME TO elsewhere").await;
    for _ in 0..3 {
        two.clinic.run(&[&MARK[..], &["--actor", &supervisor]].concat()).await.expect(1);
    }
    let failed = two.clinic.json("SELECT jsonb_agg(DISTINCT lane) AS l FROM cron_job_runs WHERE status = 'FAILED'");
    assert_eq!(failed.await["l"], json!([format!("facility:{}", two.second)]));
    let health = two.clinic.run(&["health", "mark-no-shows"]).await.report();
    assert!(health.to_string().contains("\"consecutiveFailures\":0"), "{health}");
}

#[tokio::test]
async fn nobody_starts_a_job_for_another_facility() {
    let two = Two::new().await;
    let [first, second] = [two.first, two.second].map(|id| id.to_string());
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    let nowhere = two.user(two.second, "SUPERVISOR").await;
    two.clinic.sql(&format!("UPDATE users SET facility_id = NULL WHERE id = {nowhere}")).await;
    for more in [["--actor", &*supervisor, "--facility", &*first], ["--actor", &nowhere, "--facility", &first]] {
        let outcome = two.clinic.run(&[&MARK[..], &more].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{outcome:?}");
    }
    let outcome = two.clinic.run(&[&MARK[..], &["--actor", &nowhere]].concat()).await.expect(2);
    assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED");
    assert!(outcome.stderr.contains("SUPERVISOR of no facility"), "{}", outcome.stderr);
    for unknown in ["4711", "Pat"] {
        let outcome = two.clinic.run(&[&MARK[..], &["--facility", unknown]].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "UNKNOWN_ARGUMENT", "{outcome:?}");
    }
    let runs = two.clinic.count("SELECT count(*) FROM cron_job_runs").await;
    assert_eq!((two.missed().await, runs), (json!([]), 0), "nothing was recorded or changed");
    // One's own may be named; the server's form of it makes the lane.
    let own = format!("0{second}");
    let outcome = two.clinic.run(&[&MARK[..], &["--actor", &supervisor, "--facility", &own]].concat()).await.expect(0);
    assert_eq!(outcome.report()["lane"], format!("facility:{second}"));
    assert_eq!(two.missed().await, json!([two.second]));
    // Who belongs to the group may name one, and acts for all otherwise.
    let group = two.clinic.of_the_group().await.to_string();
    let outcome = two.clinic.run(&[&MARK[..], &["--actor", &group, "--facility", &second]].concat()).await.expect(0);
    assert_eq!(outcome.report()["lane"], format!("facility:{second}"));
    let outcome = two.clinic.run(&[&MARK[..], &["--actor", &group]].concat()).await.expect(0);
    assert_eq!((outcome.count("marked"), &outcome.report()["lane"]), (2, &Value::Null));
}

#[tokio::test]
async fn every_job_with_a_facility_is_kept_to_that_of_its_actor() {
    let two = Two::new().await;
    let clinic = &two.clinic;
    for (facility, doctor) in [(two.first, two.doctors[0]), (two.second, two.doctors[1])] {
        two.more(facility, doctor).await;
    }
    // Of the group, so of no facility.
    clinic.ticket(crate::support::tickets::Ticket { due: Some("2026-03-02T10:00Z"), ..TICKET }).await;
    clinic.rule(("priority_level", json!({"priorities": ["MEDIUM"]})), ("increase_priority", json!({}))).await;
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    let (of_visits, of_tickets) =
        ("a JOIN appointments v ON v.id::text = a.appointment_id", "h JOIN tickets t ON t.id::text = h.ticket_id");
    for (job, lane, changed) in [
        (&["stage-alerts"][..], "facility", format!("stage_alerts {of_visits}")),
        (&["notify-cancellations"], "facility", format!("visit_cancellations {of_visits}")),
        (&["escalate-sla"], "facility", "px_cases WHERE status = 'ESCALATED'".into()),
        (&["monitor-ticket-sla"], "facility", format!("ticket_history {of_tickets}")),
        (&["escalate-tickets"], "facility", "tickets WHERE priority <> 'MEDIUM'".into()),
        (
            &["advance-billing", "--stage", "pending-payment"],
            "pending-payment:facility",
            "surgical_cases WHERE case_status = 15".into(),
        ),
    ] {
        let as_of = [job, &["--as-of", "2026-03-02T09:15:00-05:00"]].concat();
        let outcome = clinic.run(&[&as_of[..], &["--actor", &supervisor]].concat()).await;
        assert_eq!(outcome.report()["lane"], format!("{lane}:{}", two.second), "{job:?}: {outcome:?}");
        assert_eq!(outcome.report()["status"], "COMPLETED", "{job:?}: {outcome:?}");
        assert_eq!(two.of(&changed).await, json!([two.second]), "{job:?}: {outcome:?}");
        // Without an actor it is a run of the whole.
        let outcome = clinic.run(&as_of).await;
        assert!(matches!(outcome.code, 0 | 3), "{outcome:?}");
        let all = two.of(&changed).await;
        assert!(all.as_array().is_some_and(|all| all.contains(&json!(two.first))), "{job:?}: {all} {outcome:?}");
    }
}

#[tokio::test]
async fn an_alert_of_another_facility_is_not_resolved() {
    let two = Two::new().await;
    let clinic = &two.clinic;
    let (date, time, status, checked_in) = ("2026-03-02", "08:00", "CHECKED_IN", Some("2026-03-02T08:00-05"));
    for (facility, doctor) in [(two.first, two.doctors[0]), (two.second, two.doctors[1])] {
        clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals: None, slot: None }).await;
    }
    let run = ["stage-alerts", "--as-of", "2026-03-02T09:15:00-05:00"];
    clinic.run(&run).await;
    clinic.sql("UPDATE appointments SET status = 'COMPLETED' WHERE status = 'CHECKED_IN'").await;
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    assert_eq!(clinic.run(&[&run[..], &["--actor", &supervisor]].concat()).await.expect(0).count("resolved"), 1);
    let resolved = "stage_alerts a JOIN appointments v ON v.id::text = a.appointment_id WHERE a.status = 'RESOLVED'";
    assert_eq!(two.of(resolved).await, json!([two.second]));
    assert_eq!(clinic.run(&run).await.expect(0).count("resolved"), 1);
}

#[tokio::test]
async fn a_job_that_knows_no_facility_is_for_the_group() {
    let two = Two::new().await;
    let program: Program = two.clinic.program.clone().env("ROUNDS_PRACTICEQ_KEY", "key");
    let jobs = [
        &["prune"][..],
        &["refresh-npi", "--base-url", "http://127.0.0.1:9/"],
        &["sync-practiceq", "--base-url", "http://127.0.0.1:9/"],
        &["sync-practiceq", "--incremental", "--base-url", "http://127.0.0.1:9/"],
        &["sync-practiceq", "--appointment", "a1", "--base-url", "http://127.0.0.1:9/"],
    ];
    for role in ["SUPERVISOR", "HOSPITAL_ADMIN"] {
        let user = two.user(two.first, role).await;
        for job in jobs {
            let outcome = program.run(&[job, &["--actor", &user]].concat()).await.expect(2);
            assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{role} {job:?}");
            assert!(outcome.stderr.contains("does not belong to the group"), "{}", outcome.stderr);
        }
    }
    assert_eq!(two.clinic.count("SELECT count(*) FROM cron_job_runs").await, 0);
    let group = two.clinic.of_the_group().await.to_string();
    two.clinic.run(&["prune", "--actor", &group]).await.expect(0);
    // An operator at a shell who says no name is the scheduler's equal.
    two.clinic.run(&["prune"]).await.expect(0);
    two.clinic.run(&["prune", "--facility", &two.first.to_string()]).await.expect(2);
}

/// Where there is one facility, nobody else could belong to the group.
#[tokio::test]
async fn the_admins_of_the_only_facility_are_the_groups() {
    let clinic = Clinic::new().await;
    let (facility, doctor) = clinic.new_york(15).await;
    clinic.many(facility, doctor, 1).await;
    let [admin, supervisor] =
        [clinic.user(facility, "HOSPITAL_ADMIN").await, clinic.user(facility, "SUPERVISOR").await];
    let [admin, supervisor] = [admin.to_string(), supervisor.to_string()];
    let pause = ["pause", "prune", "--reason", "r", "--actor"];
    let acts = [&pause[..], &["resume", "prune", "--actor"], &["prune", "--actor"]];
    for act in acts {
        clinic.run(&[act, &[&admin]].concat()).await.expect(0);
        let outcome = clinic.run(&[act, &[&supervisor]].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{outcome:?}");
    }
    let marked = clinic.run(&[&MARK[..], &["--actor", &admin]].concat()).await.expect(0);
    assert_eq!((marked.count("marked"), &marked.report()["lane"]), (1, &Value::Null), "it is a run of the whole");
    // With a second one they are that facility's.
    clinic.facility("America/Denver", None).await;
    for act in acts {
        let outcome = clinic.run(&[act, &[&admin]].concat()).await.expect(2);
        assert_eq!(outcome.report()["error_code"], "ACTOR_NOT_ALLOWED", "{outcome:?}");
        assert!(outcome.stderr.contains("or of the only one"), "{outcome:?}");
    }
    let lane = clinic.run(&[&MARK[..], &["--actor", &admin]].concat()).await.expect(0).report()["lane"].clone();
    assert_eq!(lane, format!("facility:{facility}"));
}

/// The run stands in the batch of the first row when the second one, which it has found already, moves.
#[tokio::test]
async fn a_row_that_moves_to_another_facility_meanwhile_is_left_alone() {
    let of_visits = "stage_alerts a JOIN appointments v ON v.id::text = a.appointment_id";
    let of_tickets = "ticket_history h JOIN tickets t ON t.id::text = h.ticket_id";
    let history = ("surgical_case_status_history", "case_id");
    let pending = ["advance-billing", "--stage", "pending-payment"];
    for (job, rows, (written, column), changed) in [
        (
            &["mark-no-shows"][..],
            "appointments WHERE status = 'SCHEDULED'",
            ("no_show_logs", "appointment_id"),
            "appointments WHERE status = 'NO_SHOW'",
        ),
        (&["stage-alerts"], "appointments WHERE status = 'CHECKED_IN'", ("stage_alerts", "appointment_id"), of_visits),
        (
            &["notify-cancellations"],
            "appointments WHERE status = 'CANCELLED'",
            ("visit_cancellations", "appointment_id"),
            "visit_cancellations c JOIN appointments v ON v.id::text = c.appointment_id",
        ),
        (
            &["escalate-sla"],
            "px_cases WHERE true",
            ("px_case_audits", "case_id"),
            "px_cases WHERE status = 'ESCALATED'",
        ),
        (&["monitor-ticket-sla"], "tickets WHERE true", ("ticket_history", "ticket_id"), of_tickets),
        (&["escalate-tickets"], "tickets WHERE true", ("ticket_history", "ticket_id"), of_tickets),
        (&pending, "surgical_cases WHERE true", history, "surgical_cases WHERE case_status = 15"),
        (
            &[&pending[..], &["--case", "1,2"]].concat(),
            "surgical_cases WHERE true",
            history,
            "surgical_cases WHERE case_status = 15",
        ),
    ] {
        let two = Two::new().await;
        let clinic = &two.clinic;
        two.more(two.first, two.doctors[0]).await;
        two.more(two.first, two.doctors[0]).await;
        clinic.rule(("priority_level", json!({"priorities": ["MEDIUM"]})), ("increase_priority", json!({}))).await;
        let supervisor = two.user(two.first, "SUPERVISOR").await;
        let ids: Vec<i64> = clinic
            .rows(&format!("SELECT id FROM {rows} AND facility_id = {} ORDER BY id", two.first))
            .await
            .iter()
            .map(|row| row.get(0))
            .collect();
        assert_eq!(ids.len(), 2, "{job:?}");
        gate::build_for(clinic, written, column).await;
        gate::close(clinic, ids[0]).await;
        let run = ["--batch-rows", "1", "--as-of", "2026-03-02T09:15:00-05:00", "--actor", &supervisor];
        let run = clinic.program.start(&[job, &run].concat());
        gate::reached(clinic).await;
        let table = rows.split(' ').next().expect("a name");
        clinic.sql(&format!("UPDATE {table} SET facility_id = {} WHERE id = {}", two.second, ids[1])).await;
        gate::open(clinic).await;
        let outcome = program::finish(run).await;
        assert_eq!(two.of(changed).await, json!([two.first]), "{job:?}: {outcome:?}");
        if !job.contains(&"--case") {
            assert_eq!(outcome.report()["skipped_by_reason"], json!({"changed": 1}), "{job:?}: {outcome:?}");
        }
    }
}

#[tokio::test]
async fn a_pause_of_a_lane_stops_the_runs_of_a_facility_too() {
    let two = Two::new().await;
    let (group, supervisor) = (two.clinic.of_the_group().await.to_string(), two.user(two.second, "SUPERVISOR").await);
    for (what, job) in
        [("advance-billing-paid", &["advance-billing", "--stage", "paid"][..]), ("mark-no-shows", &["mark-no-shows"])]
    {
        two.clinic.run(&["pause", what, "--reason", "r", "--actor", &group]).await.expect(0);
        let outcome = two.clinic.run(&[job, &["--actor", &supervisor]].concat()).await.expect(0);
        assert_eq!(outcome.report()["error_code"], "PAUSED", "{outcome:?}");
    }
    let other = ["advance-billing", "--stage", "pending-payment", "--actor", &supervisor];
    assert_eq!(two.clinic.run(&other).await.expect(0).report()["status"], "COMPLETED");
}

#[tokio::test]
async fn why_says_that_a_row_is_of_another_facility() {
    let two = Two::new().await;
    let explain = [&MARK[..], &["--explain", "1", "--facility"]].concat();
    for (facility, due) in [(two.first, true), (two.second, false)] {
        let outcome = two.clinic.run(&[&explain[..], &[&facility.to_string()]].concat()).await.expect(0);
        assert_eq!(outcome.report()["due"], due, "{outcome:?}");
        assert_eq!(outcome.stdout.contains("another facility"), !due, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_facilitys_run_beside_the_schedulers_changes_each_row_once() {
    let two = Two::new().await;
    two.clinic.many(two.second, two.doctors[1], 200).await;
    let supervisor = two.user(two.second, "SUPERVISOR").await;
    let own = [&MARK[..], &["--actor", &supervisor, "--batch-rows", "20"]].concat();
    let all = [&MARK[..], &["--batch-rows", "20"]].concat();
    let (own, all) = tokio::join!(two.clinic.run(&own), two.clinic.run(&all));
    assert_eq!((own.code, all.code), (0, 0), "{own:?} {all:?}");
    two.clinic.run(&MARK).await.expect(0);
    let (marked, logs, _) = two.clinic.effects().await;
    assert_eq!((marked, logs), (203, 203));
}
