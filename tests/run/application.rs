//! The clinic's application beside a run: whatever it has locked, it neither waits long for the run nor loses to it.

use serde_json::{Value, json};

use crate::support::keys::Kind;
use crate::support::tickets::{TICKET, Ticket};
use crate::support::{Clinic, connect, server};

const NOON: &str = "2026-03-02T12:00:00Z";
const URGENT: (&str, &str) = ("priority_level", r#"{"priorities": ["URGENT"]}"#);

/// A ticket of a team for which a rule with this action fires; the action is given the text of a member's id.
async fn with_rule(kind: Kind, action: impl Fn(&str) -> (&'static str, Value)) -> Clinic {
    let clinic = Clinic::of(kind).await;
    let (team, _, member) = clinic.team().await;
    clinic.ticket(Ticket { priority: "URGENT", team: Some(team), ..TICKET }).await;
    let condition = serde_json::from_str(URGENT.1).expect("JSON");
    clinic.rule((URGENT.0, condition), action(&kind.text(member))).await;
    clinic
}

fn follow(member: &str) -> (&'static str, Value) {
    ("add_follower", json!({ "userIds": [member] }))
}

fn reassign(member: &str) -> (&'static str, Value) {
    ("reassign_ticket", json!({ "userId": member }))
}

async fn escalate(clinic: &Clinic) -> Value {
    let outcome = clinic.run(&["escalate-tickets", "--as-of", NOON]).await.expect(0);
    assert!(!outcome.stderr.contains("deadlock"), "{outcome:?}");
    outcome.report()
}

/// What a run with an open transaction of the application beside it does not do, it does when that one has ended.
async fn waits_for_nobody(clinic: &Clinic, held: &str, (run, code): (&[&str], i32), done: &str, what: &str) {
    clinic.sql(&format!("BEGIN; {held}")).await;
    let outcome = clinic.run(run).await.expect(code);
    let report = outcome.report();
    assert_eq!((&report[done], &report["skipped_by_reason"]), (&json!(0), &json!({"locked": 1})), "{what}");
    // A wait that came to its end would have halved the batch, and said so.
    assert_eq!(outcome.stderr.matches("in time").count(), 0, "{what}: {outcome:?}");
    clinic.sql("COMMIT").await;
    assert_eq!(clinic.run(run).await.expect(0).report()[done], 1, "{what}");
}

#[tokio::test]
async fn who_is_assigned_or_follows_is_locked_before_the_tickets_or_not_waited_for() {
    let run = ["escalate-tickets", "--as-of", NOON, "--log-level", "debug"];
    for kind in Kind::ALL {
        for (action, name) in [(follow as fn(&str) -> _, "add_follower"), (reassign, "reassign_ticket")] {
            let clinic = with_rule(kind, action).await;
            let what = format!("{name}, {kind:?}");
            waits_for_nobody(&clinic, "SELECT FROM users FOR UPDATE", (&run, 0), "executed", &what).await;
        }
        let clinic = with_rule(kind, |_| ("reassign_ticket", json!({ "teamId": kind.text(1) }))).await;
        clinic.sql("UPDATE tickets SET team_id = NULL").await;
        waits_for_nobody(&clinic, "SELECT FROM teams FOR UPDATE", (&run, 0), "executed", "a team").await;
    }
}

/// The ticket itself is free: comments and followers of others can be added while a run has it.
#[tokio::test]
async fn a_follower_who_is_just_being_added_leaves_that_ticket_to_the_next_run() {
    let clinic = with_rule(Kind::Bigint, follow).await;
    clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    clinic.sql("BEGIN; INSERT INTO ticket_followers SELECT 1, u.id FROM users u").await;
    let report = escalate(&clinic).await;
    assert_eq!((&report["executed"], &report["skipped_by_reason"]), (&json!(1), &json!({"locked": 1})));
    clinic.sql("ROLLBACK").await;
    assert_eq!(escalate(&clinic).await["executed"], 1);
}

#[tokio::test]
async fn the_rule_the_actor_and_those_who_are_told_are_not_locked() {
    for (action, held) in [
        (follow as fn(&str) -> _, "SELECT FROM escalation_rules FOR UPDATE; SELECT FROM teams FOR UPDATE"),
        (|_: &str| ("notify_manager", json!({"message": "m"})), "SELECT FROM users FOR UPDATE"),
        (|_: &str| ("increase_priority", json!({})), "SELECT FROM users FOR UPDATE"),
    ] {
        let clinic = with_rule(Kind::Bigint, action).await;
        let actor = clinic.of_the_group().await.to_string();
        clinic.sql(&format!("BEGIN; {held}")).await;
        let args = ["escalate-tickets", "--as-of", NOON, "--actor", &actor];
        assert_eq!(clinic.run(&args).await.expect(0).count("executed"), 1, "{held}");
        clinic.sql("COMMIT").await;
    }
}

/// The rows of a view of groups cannot be locked. The rule is carried out as well as it can be.
#[tokio::test]
async fn parents_that_cannot_be_locked_are_left_alone() {
    let clinic = with_rule(Kind::Bigint, follow).await;
    clinic.sql("ALTER TABLE users RENAME TO people; CREATE VIEW users AS SELECT DISTINCT * FROM people").await;
    let args = ["escalate-tickets", "--as-of", NOON];
    assert_eq!(clinic.run(&[&args[..], &["--dry-run"]].concat()).await.expect(0).count("executed"), 1);
    clinic.sql("BEGIN; SELECT FROM people FOR UPDATE").await;
    assert_eq!(escalate(&clinic).await["skipped_by_reason"], json!({"locked": 1}));
    clinic.sql("COMMIT").await;
    assert_eq!(escalate(&clinic).await["executed"], 1);
}

/// The application's own table refers to the slots: a row of it that is not committed yet holds its slot.
#[tokio::test]
async fn a_slot_that_the_application_is_just_referring_to_is_not_waited_for() {
    for kind in Kind::ALL {
        let clinic = Clinic::of(kind).await;
        let (facility, doctor) = clinic.new_york(15).await;
        let visit = clinic.scheduled(facility, doctor, "2026-03-02", "09:00").await;
        let slot = format!(
            "INSERT INTO doctor_slots (doctor_id, slot_date, start_time, end_time, is_booked, appointment_id)
             VALUES (k({doctor}), '2026-03-02', '09:00', '23:00', true, k({visit}))"
        );
        clinic.sql(&slot).await;
        let run = ["mark-no-shows", "--as-of", "2026-03-02T09:15:00-05:00", "--log-level", "debug"];
        waits_for_nobody(&clinic, "SELECT FROM doctor_slots FOR KEY SHARE", (&run, 0), "marked", "a slot").await;
        assert_eq!(clinic.count("SELECT count(*) FROM doctor_slots WHERE appointment_id IS NULL").await, 1);
    }
}

#[tokio::test]
async fn a_status_that_the_application_holds_is_not_waited_for() {
    let clinic = Clinic::new().await;
    let (facility, patient) = (clinic.facility("America/New_York", None).await, clinic.patient().await);
    let case =
        "INSERT INTO surgical_cases (facility_id, patient_id, case_status, pay_amount) VALUES (k($1), k($2), 10, 1)";
    clinic.sql(&case.replace("$1", &facility.to_string()).replace("$2", &patient.to_string())).await;
    let run = ["advance-billing", "--stage", "pending-payment", "--as-of", "2026-03-02T08:00:00Z"];
    let run = [&run[..], &["--log-level", "debug"]].concat();
    // Of a weekly job nothing that was due could be done, which is a failure.
    waits_for_nobody(&clinic, "SELECT FROM surgical_case_statuses FOR UPDATE", (&run, 1), "advanced", "a status").await;
}

/// A deadlock of one row, which a trigger of the application stands for: the others are done at once, and the same batch
/// is not tried again.
#[tokio::test]
async fn a_deadlock_halves_the_batch() {
    let clinic = with_rule(Kind::Bigint, follow).await;
    for _ in 0..7 {
        clinic.ticket(Ticket { priority: "URGENT", ..TICKET }).await;
    }
    let trigger = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN RAISE EXCEPTION 'CANARY' USING ERRCODE = 'deadlock_detected'; END $$;
                   CREATE TRIGGER lose BEFORE INSERT ON ticket_followers FOR EACH ROW WHEN (NEW.ticket_id = 5)
                   EXECUTE FUNCTION lose()";
    clinic.sql(trigger).await;
    let report = escalate(&clinic).await;
    assert_eq!((&report["executed"], &report["skipped_by_reason"]), (&json!(7), &json!({"locked": 1})));
    clinic.sql("DROP TRIGGER lose ON ticket_followers").await;
    assert_eq!(escalate(&clinic).await["executed"], 1);
}

/// A trigger of the application waits for a row that another of its transactions holds, which waits for the ticket: it
/// gets it before the server looks for a deadlock, here after 300 ms.
#[tokio::test]
async fn a_batch_gives_up_its_rows_before_the_server_looks_for_a_deadlock() {
    let clinic = with_rule(Kind::Bigint, follow).await;
    let trigger = "CREATE TABLE counters (n int); INSERT INTO counters VALUES (0);
                   CREATE FUNCTION count_follower() RETURNS trigger LANGUAGE plpgsql AS
                   $$ BEGIN UPDATE counters SET n = n + 1; RETURN NEW; END $$;
                   CREATE TRIGGER count_follower BEFORE INSERT ON ticket_followers FOR EACH ROW
                   EXECUTE FUNCTION count_follower()";
    clinic.sql(trigger).await;
    // Another session of the application than the clinic's own.
    let application = connect(&server().url(&clinic.database)).await;
    application.batch_execute("SET deadlock_timeout = '300ms'; BEGIN; UPDATE counters SET n = n").await.expect("held");
    let args = ["escalate-tickets", "--as-of", NOON];
    let changes = async {
        // The run has the ticket by then, or has given it up already.
        let waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database = (
                         SELECT oid FROM pg_database WHERE datname = current_database()))
                         OR EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
                                    AND datname = current_database()) AS waits";
        for _ in 0..1000 {
            if clinic.row(waits, &[]).await.get("waits") {
                break;
            }
        }
        let changed = application.batch_execute("UPDATE tickets SET title = 'changed'; COMMIT").await;
        changed.expect("the application goes on");
    };
    let (outcome, ()) = tokio::join!(clinic.run(&args), changes);
    let report = outcome.expect(0).report();
    assert_eq!(report["executed"].as_u64().unwrap() + report["skipped"].as_u64().unwrap(), 1, "{report}");
    assert_eq!(clinic.count("SELECT count(*) FROM tickets WHERE title = 'changed'").await, 1);
}
