//! What every job owes, and the race with a person who edits a ticket.

use serde_json::json;

use super::super::owed;
use super::{BREACHED, HIGH, LOW, TicketFixture, nothing, told};
use crate::support::{gate, program};

owed::owed_by_the_job!(TicketFixture);

#[tokio::test]
async fn tickets_without_news_neither_brake_nor_count_as_scanned() {
    let fixture = TicketFixture::new().await;
    for _ in 0..5 {
        fixture.ticket("").await;
    }
    fixture.ticket("sla_due_at = '2026-03-03'").await;
    let args = ["monitor-ticket-sla", "--as-of", LOW, "--max-items", "1"];
    let outcome = fixture.clinic.run(&args).await.expect(0);
    assert_eq!(["checked", "breached", "at_risk", "recorded"].map(|key| outcome.count(key)), [6, 1, 0, 1]);
}

/// Runs the job with an odd ticket and one that has breached its SLA: people are told of this one, whatever becomes of
/// the odd one, which may be a failed item. Returns what went wrong.
async fn beside(fixture: &TicketFixture, odd: &str, breached: Option<u64>) -> Option<String> {
    fixture.ticket("sla_due_at = '2026-03-03'").await;
    let outcome = fixture.clinic.run(&["monitor-ticket-sla", "--as-of", LOW]).await;
    let told =
        fixture.clinic.count("SELECT count(*) FROM ticket_history WHERE n(ticket_id) = 2 AND run_id IS NOT NULL").await;
    let report = outcome.report();
    let counted = outcome.code == 3 || breached.is_none_or(|breached| report["breached"] == json!(1 + breached));
    let well = [0, 3].contains(&outcome.code) && told == 1 && counted;
    (!well).then(|| format!("{odd}: exit {}, {report}", outcome.code))
}

#[tokio::test]
async fn dates_beyond_all_measure_stop_nobody() {
    let mut wrong = vec![];
    for (changes, breached) in [
        ("sla_due_at = 'infinity'", 0),
        ("sla_due_at = '-infinity'", 1),
        ("custom_sla_due_at = 'infinity'", 0),
        ("created_at = '-infinity'", 0),
        ("created_at = 'infinity'", 0),
        ("created_at = '-infinity', sla_due_at = 'infinity'", 0),
        ("created_at = '4713-01-01 BC', sla_due_at = '294276-12-31'", 0),
        ("created_at = '294276-12-31', sla_due_at = '4713-01-01 BC'", 1),
        // From here a policy has to add to what cannot be added to.
        ("sla_due_at = NULL, created_at = 'infinity'", 0),
        ("sla_due_at = NULL, created_at = '294276-12-31'", 0),
    ] {
        let fixture = TicketFixture::new().await;
        fixture.clinic.sql("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('MEDIUM', 14400)").await;
        fixture.ticket(changes).await;
        wrong.extend(beside(&fixture, changes, Some(breached)).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn records_of_another_shape_stop_nobody() {
    let mut wrong = vec![];
    // What the application wrote before this job did, or writes still: without the due date, or not its own words.
    for details in [
        r#"{"isCompliant": true, "breachRisk": "low", "remainingTime": 5, "checkedAt": "2026-03-04T00:00:00Z"}"#,
        r#"{"breachRisk": "critical", "dueAt": "2026-03-12T00:00:00Z"}"#,
        r#"{"breachRisk": null, "dueAt": null}"#,
        r#"{"breachRisk": "high", "dueAt": "soon"}"#,
        r#"{"breachRisk": "high", "dueAt": ""}"#,
        r#"{"breachRisk": ["high"], "dueAt": 5}"#,
        r#"{}"#,
        r#"[]"#,
        r#""low""#,
    ] {
        let fixture = TicketFixture::new().await;
        fixture.ticket("sla_due_at = '2026-03-04'").await;
        let insert = "INSERT INTO ticket_history (ticket_id, action, actor, details, created_at)
                      VALUES ('1', 'sla_status_checked', 'system', $1::text::jsonb, '2026-03-04T00:00Z')";
        fixture.clinic.client.execute(insert, &[&details]).await.expect("can be inserted");
        wrong.extend(beside(&fixture, details, None).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_is_at_risk_is_counted_although_it_is_no_news() {
    let fixture = TicketFixture::new().await;
    fixture.ticket("").await;
    fixture.ticket("sla_due_at = '2026-03-03'").await;
    for recorded in [2, 0] {
        let outcome = fixture.run(HIGH).await;
        let counts = ["checked", "breached", "at_risk", "recorded"].map(|key| outcome.count(key));
        assert_eq!(counts, [2, 1, 1, recorded]);
    }
    assert_eq!(fixture.news(BREACHED).await, told("high", 1), "the first is breached now, too");
    assert_eq!(fixture.news(BREACHED).await, nothing());
}

#[tokio::test]
async fn a_person_who_edits_a_ticket_at_the_same_moment_wins() {
    let fixture = TicketFixture::new().await;
    for _ in 0..4 {
        fixture.ticket("").await;
    }
    gate::build_for(&fixture.clinic, "ticket_history", "ticket_id").await;
    gate::close(&fixture.clinic, 1).await;
    // The scan has seen all four; the first batch waits while somebody works.
    let run = fixture.clinic.program.start(&["monitor-ticket-sla", "--as-of", BREACHED, "--batch-rows", "1"]);
    gate::reached(&fixture.clinic).await;
    fixture.change(2, "status = 'RESOLVED'").await;
    fixture.change(3, "custom_sla_due_at = '2026-06-01'").await;
    // Still breached, and now somebody else's: what is written is what is true when it is written.
    fixture.change(4, &format!("created_by = {}", fixture.leader)).await;
    gate::open(&fixture.clinic).await;
    let outcome = program::finish(run).await.expect(0);
    owed::balanced(&outcome, "recorded");
    assert_eq!(["scanned", "recorded", "skipped"].map(|key| outcome.count(key)), [4, 2, 2]);
    let recorded =
        fixture.clinic.json("SELECT array_agg(n(ticket_id) ORDER BY n(ticket_id)) AS t FROM ticket_history").await;
    assert_eq!(recorded["t"], json!([1, 4]));
    assert_eq!(fixture.told().await, [format!("{} IN_APP", fixture.creator), format!("{} IN_APP", fixture.leader)]);
}

#[tokio::test]
async fn nobodys_words_come_out() {
    let fixture = TicketFixture::new().await;
    for _ in 0..3 {
        fixture.ticket("title = 'CANARY-T'").await;
    }
    fixture
        .clinic
        .sql(
            "UPDATE facilities SET name = 'CANARY-F'; UPDATE teams SET name = 'CANARY-M';
             UPDATE users SET name = 'CANARY-U', email = 'CANARY@example.org';
             INSERT INTO notification_preferences SELECT id, true, true FROM users;
             INSERT INTO ticket_comments (ticket_id, body) SELECT id, 'CANARY-C' FROM tickets",
        )
        .await;
    owed::fail_before(&fixture.clinic, "INSERT", "ticket_history", "n(NEW.ticket_id) = 2").await;
    let job = ["monitor-ticket-sla", "--as-of", HIGH];
    let mut out = owed::said(&fixture.clinic, &[&[&job[..], &["--dry-run"]].concat(), &job]).await;
    assert!(out.contains("22000") && out.contains("\"recorded\\\":2"), "there was something to say: {out}");
    // A run that fails altogether has to say something, too.
    fixture.clinic.sql("ALTER TABLE ticket_history RENAME TO \"CANARY_history\"").await;
    out += &format!("{:?}", fixture.clinic.run(&job).await);
    assert!(out.contains("42P01"), "{out}");
    assert!(!out.contains("CANARY"), "{out}");
}
