//! `rounds monitor-ticket-sla` on keys of each kind, and where the clinic's columns hold what the reference set
//! forbids.

use serde_json::json;

use super::{BREACHED, DUE, TicketFixture};
use crate::support::keys::Kind;

#[tokio::test]
async fn dates_people_and_records_are_the_same_on_keys_of_each_kind() {
    for kind in Kind::ALL {
        let fixture = TicketFixture::of(kind).await;
        let clinic = &fixture.clinic;
        let (creator, leader, team) = (fixture.creator, fixture.leader, fixture.team);
        let follower = clinic.user(fixture.facility, "AGENT").await;
        clinic
            .sql(
                "INSERT INTO sla_policies (priority, resolution_minutes, created_at) VALUES
                     ('HIGH', 60, '2026-01-01'), ('HIGH', 2880, '2026-01-03')",
            )
            .await;
        // By its own date, by its SLA's, by the policy.
        fixture.ticket(&format!("custom_sla_due_at = '{DUE}', sla_due_at = '2027-01-01', team_id = k({team})")).await;
        fixture.ticket("").await;
        let by_policy = fixture.ticket("sla_due_at = NULL, priority = 'HIGH', created_by = NULL").await;
        clinic
            .sql(&format!(
                "INSERT INTO ticket_followers VALUES (k({by_policy}), k({follower}));
                 UPDATE users SET email = 'u@example.org';
                 INSERT INTO notification_preferences VALUES (k({follower}), false, true)"
            ))
            .await;
        assert_eq!(fixture.run("2026-03-04T00:00:00Z").await.count("breached"), 0, "{kind:?}");
        assert_eq!(fixture.run("2026-03-04T00:00:00.000001Z").await.count("breached"), 1, "{kind:?}");
        clinic.sql("DELETE FROM notifications; DELETE FROM ticket_history").await;
        let admin = kind.text(clinic.user(fixture.facility, "HOSPITAL_ADMIN").await);
        let args = ["monitor-ticket-sla", "--as-of", BREACHED, "--actor", &admin];
        let report = clinic.run(&args).await.expect(0).report();
        let counts = ["checked", "breached", "recorded", "notifications_sent"].map(|key| report[key].clone());
        assert_eq!(counts, [3, 3, 3, 5], "{kind:?}");
        let told =
            [(creator, "IN_APP"), (creator, "IN_APP"), (leader, "IN_APP"), (follower, "IN_APP"), (follower, "EMAIL")];
        assert_eq!(fixture.told().await, told.map(|(id, channel)| format!("{} {channel}", kind.text(id))), "{kind:?}");
        let recorded = clinic.json("SELECT DISTINCT actor_id, actor FROM ticket_history").await;
        assert_eq!(recorded, json!({"actor_id": admin, "actor": "user"}), "{kind:?}");
        let dates = "SELECT array_agg(details ->> 'dueAt' ORDER BY n(ticket_id)) AS d FROM ticket_history";
        let at = |day: &str| format!("2026-03-{day}T00:00:00.000000Z");
        assert_eq!(clinic.json(dates).await["d"], json!([at("12"), at("12"), at("04")]), "{kind:?}");
        assert_eq!(fixture.run(BREACHED).await.count("recorded"), 0, "{kind:?}");
    }
}

#[tokio::test]
async fn a_ticket_that_cannot_be_judged_leaves_the_others_untouched() {
    let fixture = TicketFixture::new().await;
    fixture
        .clinic
        .sql(
            "ALTER TABLE tickets DROP CONSTRAINT tickets_priority_check, DROP CONSTRAINT tickets_status_check,
                 ALTER priority DROP NOT NULL, ALTER status DROP NOT NULL, ALTER created_at DROP NOT NULL,
                 ALTER number DROP NOT NULL;
             INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('MEDIUM', 60)",
        )
        .await;
    for changes in [
        "status = NULL",
        "created_at = NULL, sla_due_at = NULL",
        "priority = NULL, sla_due_at = NULL",
        "priority = 'P1', sla_due_at = NULL",
        "number = NULL, sla_due_at = 'infinity'",
    ] {
        fixture.ticket(changes).await;
    }
    // Nothing of it is needed where a date is there.
    fixture.ticket("created_at = NULL, priority = 'P1', number = NULL").await;
    let outcome = fixture.run(BREACHED).await;
    assert_eq!(["checked", "breached", "recorded"].map(|key| outcome.count(key)), [1, 1, 1]);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_named_and_the_others_count() {
    let fixture = TicketFixture::new().await;
    fixture
        .clinic
        .sql(
            "ALTER TABLE sla_policies DROP CONSTRAINT sla_policies_resolution_minutes_check,
                 ALTER resolution_minutes TYPE bigint;
             INSERT INTO sla_policies (priority, resolution_minutes, active, created_at) VALUES
                 ('LOW', -1, true, '2026-01-01'), ('LOW', 5256000, true, '2026-01-02'),
                 ('MEDIUM', 5256000, true, '2026-01-01'), ('MEDIUM', 5256001, true, '2026-01-02'),
                 ('HIGH', 60, true, '2026-01-01'), ('HIGH', 9223372036854775807, false, '2026-01-02')",
        )
        .await;
    for priority in ["LOW", "MEDIUM", "HIGH"] {
        fixture.ticket(&format!("sla_due_at = NULL, priority = '{priority}'")).await;
    }
    let outcome = fixture.clinic.run(&["monitor-ticket-sla", "--as-of", BREACHED]).await.expect(3);
    let keys = ["checked", "breached", "scanned", "recorded", "failed"];
    assert_eq!(keys.map(|key| outcome.count(key)), [2, 1, 2, 1, 1]);
    let error = json!([{"entity": "sla_policy", "id": "4", "code": "UNREADABLE_POLICY"}]);
    assert_eq!(outcome.report()["errors"], error);
    assert!(outcome.stderr.contains("sla_policy 4: sla_policies.resolution_minutes"), "{}", outcome.stderr);
}

#[tokio::test]
async fn what_was_recorded_of_a_deleted_ticket_stays_and_is_no_error() {
    let fixture = TicketFixture::new().await;
    for _ in 0..2 {
        fixture.ticket("").await;
    }
    assert_eq!(fixture.run(BREACHED).await.count("recorded"), 2);
    fixture.clinic.sql("DELETE FROM tickets WHERE id = 1").await;
    let outcome = fixture.run(BREACHED).await;
    assert_eq!(["checked", "recorded"].map(|key| outcome.count(key)), [1, 0]);
    assert_eq!(fixture.clinic.count("SELECT count(*) FROM ticket_history").await, 2);
}
