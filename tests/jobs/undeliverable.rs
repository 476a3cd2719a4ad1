//! What is done, but of which nobody can be told, in every job that tells users: it stays done, and is not silent.

use serde_json::{Value, json};

use crate::jobs::owed;
use crate::support::Clinic;
use crate::support::clinic::Visit;
use crate::support::keys::Kind;
use crate::support::program::Outcome;
use crate::support::tickets::{TICKET, Ticket};

const NOON: &str = "2026-03-02T12:00:00-05:00";

/// A job with one item that is due, and of which nobody can be told.
struct Silent {
    job: &'static str,
    entity: &'static str,
    /// The report's count of what is done.
    done: &'static str,
    /// What the recorded message has to say: what was done, and who was looked for.
    message: &'static [&'static str],
    /// The number of rows that show that it is done.
    evidence: &'static str,
}

const SILENT: [Silent; 6] = [
    Silent {
        job: "escalate-sla",
        entity: "px_case",
        done: "escalated",
        message: &["escalated to level 1", "nobody was told", "--fallback-department", "MANAGER"],
        evidence: "SELECT count(*) FROM px_cases WHERE status = 'ESCALATED'",
    },
    Silent {
        job: "monitor-ticket-sla",
        entity: "ticket",
        done: "recorded",
        message: &["breach of its SLA is recorded", "nobody was told", "follower", "MANAGER"],
        evidence: "SELECT count(*) FROM ticket_history",
    },
    Silent {
        job: "escalate-tickets",
        entity: "ticket",
        done: "executed",
        message: &["rule", "was carried out", "nobody was told", "MANAGER"],
        evidence: "SELECT count(*) FROM escalation_episodes",
    },
    Silent {
        job: "stage-alerts",
        entity: "appointment",
        done: "raised",
        message: &["the alert NO_VITALS was raised", "nobody was told", "NURSE", "HOSPITAL_ADMIN"],
        evidence: "SELECT count(*) FROM stage_alerts WHERE alert_type = 'NO_VITALS'",
    },
    Silent {
        job: "stage-alerts",
        entity: "appointment",
        done: "raised",
        message: &["the alert NO_DOCTOR was raised", "nobody was told", "doctor", "HOSPITAL_ADMIN"],
        evidence: "SELECT count(*) FROM stage_alerts WHERE alert_type = 'NO_DOCTOR'",
    },
    Silent {
        job: "notify-cancellations",
        entity: "appointment",
        done: "handled",
        message: &["the cancellation is recorded", "nobody was told", "doctor", "RECEPTIONIST"],
        evidence: "SELECT count(*) FROM visit_cancellations WHERE outcome = 'NOBODY'",
    },
];

impl Silent {
    /// A clinic in which nobody is active, with the item.
    async fn clinic(&self, kind: Kind) -> Clinic {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let assignee = clinic.user(facility, "AGENT").await;
        clinic.user(facility, "MANAGER").await;
        clinic.user(facility, "NURSE").await;
        clinic.user(facility, "HOSPITAL_ADMIN").await;
        clinic.sql("UPDATE users SET active = false").await;
        match self.job {
            "escalate-sla" => {
                clinic
                    .sql(&format!(
                        "INSERT INTO px_cases (facility_id, status, due_at, escalation_level, description)
                         VALUES (k({facility}), 'OPEN', '2026-03-02 10:00Z', 0, 'CANARY')"
                    ))
                    .await;
            }
            "notify-cancellations" => {
                let visit = clinic.scheduled(facility, doctor, "2026-03-09", "09:00").await;
                clinic
                    .sql(&format!(
                        "UPDATE appointments SET status = 'CANCELLED', cancelled_at = timestamptz '{NOON}' WHERE id = k({visit});
                         UPDATE patients SET last_name = 'CANARY';
                         INSERT INTO visit_cancellations (cancelled_at, seen_at, outcome)
                         VALUES ('2026-03-01Z', '2026-03-01Z', 'BEGAN')"
                    ))
                    .await;
            }
            "stage-alerts" => {
                let vitals = self.message[0].contains("NO_DOCTOR").then_some("2026-03-02T09:06-05");
                let (date, time, status) = ("2026-03-02", "09:00", "CHECKED_IN");
                let checked_in = Some("2026-03-02T09:05-05");
                clinic.visit(Visit { facility, doctor, date, time, status, checked_in, vitals, slot: None }).await;
            }
            _ => {
                let rule = ("priority_level", json!({"priorities": ["MEDIUM"]}));
                clinic.rule(rule, ("notify_manager", json!({"message": "CANARY"}))).await;
                let due = Some("2026-03-02T10:00:00Z");
                clinic.ticket(Ticket { due, assignee: Some(assignee), ..TICKET }).await;
            }
        }
        clinic
    }

    async fn run(&self, clinic: &Clinic, more: &[&str]) -> Outcome {
        clinic.run(&[&[self.job, "--as-of", NOON, "--log-level", "warn"], more].concat()).await
    }

    fn counts(&self, outcome: &Outcome) -> [u64; 5] {
        owed::balanced(outcome, self.done);
        ["scanned", self.done, "skipped", "failed", "undeliverable"].map(|key| outcome.count(key))
    }
}

async fn recorded(clinic: &Clinic) -> Vec<Value> {
    let query = "SELECT to_jsonb(e) FROM cron_job_run_errors e ORDER BY e.id";
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn it_is_done_and_warned_of_and_recorded_once() {
    for silent in SILENT {
        for kind in [Kind::Bigint, Kind::TextViews] {
            let clinic = silent.clinic(kind).await;
            let what = format!("{} {:?} {kind:?}", silent.job, silent.message);
            let before = owed::state(&clinic).await;
            let dry = silent.run(&clinic, &["--dry-run"]).await.expect(3);
            assert_eq!(silent.counts(&dry), [1, 1, 0, 0, 1], "{what}");
            assert_eq!(owed::state(&clinic).await, before, "a dry run records nothing: {what}");

            let outcome = silent.run(&clinic, &[]).await.expect(3);
            assert_eq!(silent.counts(&outcome), [1, 1, 0, 0, 1], "{what}");
            assert_eq!(clinic.count(silent.evidence).await, 1, "what was done stays: {what}");
            assert_eq!(clinic.count("SELECT count(*) FROM notifications").await, 0, "{what}");
            let [row] = &recorded(&clinic).await[..] else { panic!("one row: {what}") };
            let id = row["entity_id"].as_str().expect("an id");
            let report = outcome.report();
            assert_eq!(
                report["errors"],
                json!([{"entity": silent.entity, "id": id, "code": "UNDELIVERABLE"}]),
                "{what}"
            );
            let said = ["run_id", "entity", "error_code"].map(|key| row[key].clone());
            assert_eq!(said, [report["run_id"].clone(), json!(silent.entity), json!("UNDELIVERABLE")], "{what}");
            let message = row["message"].as_str().expect("a text");
            assert!(silent.message.iter().all(|words| message.contains(words)), "{message}: {what}");
            assert!(!format!("{message} {outcome:?}").contains("CANARY"), "no value of a row: {what}");
            let warned = outcome.stderr.lines().filter(|line| line.contains("UNDELIVERABLE")).collect::<Vec<_>>();
            assert!(warned.len() == 1 && warned[0].contains(&format!("{} {id}", silent.entity)), "{outcome:?}");
            let items = "SELECT items_processed AS processed, items_failed AS failed, status FROM cron_job_runs";
            assert_eq!(clinic.json(items).await, json!({"processed": 1, "failed": 1, "status": "COMPLETED"}), "{what}");

            // The same episode at the next run.
            let outcome = silent.run(&clinic, &[]).await.expect(0);
            assert_eq!(silent.counts(&outcome), [0, 0, 0, 0, 0], "{what}");
            assert_eq!(recorded(&clinic).await.len(), 1, "once: {what}");
        }
    }
}

#[tokio::test]
async fn neither_the_change_nor_its_record_is_there_without_the_other() {
    for silent in SILENT {
        let clinic = silent.clinic(Kind::Bigint).await;
        owed::fail_before(&clinic, "INSERT", "cron_job_run_errors", "NEW.error_code = 'UNDELIVERABLE'").await;
        let outcome = silent.run(&clinic, &[]).await.expect(3);
        assert_eq!(silent.counts(&outcome), [1, 0, 0, 1, 0], "{}", silent.job);
        assert_eq!(clinic.count(silent.evidence).await, 0, "{}", silent.job);
        clinic.sql("DROP TRIGGER tell ON cron_job_run_errors").await;
    }
}

#[tokio::test]
async fn with_partial_ok_it_is_no_failure_of_the_scheduler() {
    let clinic = SILENT[0].clinic(Kind::Bigint).await;
    let outcome = SILENT[0].run(&clinic, &["--partial-ok"]).await.expect(0);
    assert_eq!(SILENT[0].counts(&outcome), [1, 1, 0, 0, 1]);
}

#[tokio::test]
async fn health_calls_such_a_run_degraded() {
    let clinic = SILENT[0].clinic(Kind::Bigint).await;
    SILENT[0].run(&clinic, &[]).await.expect(3);
    let health = clinic.run(&["health", "escalate-sla", "--output", "json"]).await;
    assert!(health.stdout.contains("1 item failed in it"), "{health:?}");
}

#[tokio::test]
async fn two_rules_of_which_nobody_is_told_are_both_in_the_row() {
    let clinic = SILENT[2].clinic(Kind::Bigint).await;
    clinic
        .rule(("priority_level", json!({"priorities": ["MEDIUM"]})), ("notify_manager", json!({"message": "m"})))
        .await;
    let outcome = SILENT[2].run(&clinic, &[]).await.expect(3);
    assert_eq!(SILENT[2].counts(&outcome), [2, 2, 0, 0, 2]);
    let [row] = &recorded(&clinic).await[..] else { panic!("one row for the ticket") };
    let message = row["message"].as_str().expect("a text");
    assert!(message.contains("rule 1 ") && message.contains("rule 2 "), "{message}");
}

#[tokio::test]
async fn the_explanation_of_a_case_says_that_nobody_was_told() {
    for kind in [Kind::Bigint, Kind::TextViews] {
        let clinic = SILENT[0].clinic(kind).await;
        let case: String = clinic.row("SELECT id::text FROM px_cases", &[]).await.get(0);
        let explain =
            async || clinic.run(&["escalate-sla", "--as-of", NOON, "--explain", &case]).await.expect(0).report();
        let before = explain().await;
        assert!(before["explanation"].as_str().expect("a text").contains("nobody is told"), "{before}");
        SILENT[0].run(&clinic, &[]).await.expect(3);
        let after = explain().await;
        assert!(after["explanation"].as_str().expect("a text").contains("nobody could be told"), "{after}");
        assert_eq!(after["history"][0]["undeliverable"], true);
    }
}
