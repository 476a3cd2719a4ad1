//! `rounds monitor-ticket-sla`: the risk at every boundary, and what is news.

mod awkward;
mod properties;
mod recipients;
mod runs;

use serde_json::{Value, json};

use super::owed::{self, Owed, Subject};
use crate::support::Clinic;
use crate::support::keys::Kind;
use crate::support::program::Outcome;

/// Ten days: a quarter of them is left at noon of March 9, a tenth at the beginning of March 11.
const CREATED: &str = "2026-03-02T00:00:00Z";
const DUE: &str = "2026-03-12T00:00:00Z";
const LOW: &str = "2026-03-05T00:00:00Z";
const MEDIUM: &str = "2026-03-10T00:00:00Z";
const HIGH: &str = "2026-03-11T12:00:00Z";
const BREACHED: &str = "2026-03-13T00:00:00Z";

/// A facility, and a team with a leader.
struct TicketFixture {
    clinic: Clinic,
    facility: i64,
    creator: i64,
    leader: i64,
    team: i64,
}

impl TicketFixture {
    async fn new() -> Self {
        Self::of(Kind::Bigint).await
    }

    async fn of(kind: Kind) -> Self {
        let clinic = Clinic::of(kind).await;
        let facility = clinic.facility("America/New_York", None).await;
        let [creator, leader] = [clinic.user(facility, "RECEPTIONIST").await, clinic.user(facility, "AGENT").await];
        let team = clinic.row("INSERT INTO teams (name) VALUES ('T') RETURNING n(id)", &[]).await.get(0);
        clinic.sql(&format!("INSERT INTO team_members VALUES (k({team}), k({leader}), true)")).await;
        Self { clinic, facility, creator, leader, team }
    }

    /// A ticket that was created by the creator, due in ten days, changed like this.
    async fn ticket(&self, changes: &str) -> i64 {
        let insert = format!(
            "INSERT INTO tickets (number, title, facility_id, created_by, created_at, sla_due_at)
             SELECT 'T-' || 1001 + count(*), 'Pump', k({}), k({}), '{CREATED}', '{DUE}' FROM tickets RETURNING n(id)",
            self.facility, self.creator
        );
        let id = self.clinic.row(&insert, &[]).await.get(0);
        self.change(id, changes).await;
        id
    }

    async fn change(&self, ticket: i64, changes: &str) {
        if !changes.is_empty() {
            self.clinic.sql(&format!("UPDATE tickets SET {changes} WHERE id = k({ticket})")).await;
        }
    }

    /// Runs the job as of an instant; everything scanned is accounted for.
    async fn run(&self, as_of: &str) -> Outcome {
        let outcome = owed::ended(self.clinic.run(&["monitor-ticket-sla", "--as-of", as_of]).await);
        owed::balanced(&outcome, "recorded");
        outcome
    }

    /// What a run recorded and how many it told.
    async fn news(&self, as_of: &str) -> (Vec<String>, u64) {
        let outcome = self.run(as_of).await;
        let query =
            "SELECT details->>'breachRisk' FROM ticket_history WHERE run_id = $1::text::uuid ORDER BY n(ticket_id)";
        let report = outcome.report();
        let run = report["run_id"].as_str().expect("an id");
        let rows = self.clinic.client.query(query, &[&run]).await.expect("can be asked");
        assert_eq!(outcome.count("recorded"), rows.len() as u64);
        (rows.iter().map(|row| row.get(0)).collect(), outcome.count("notifications_sent"))
    }

    /// Who was told by which channel.
    async fn told(&self) -> Vec<String> {
        let query = "SELECT concat_ws(' ', recipient_id, channel) FROM notifications
                     WHERE recipient_kind = 'USER' ORDER BY n(recipient_id), channel DESC";
        self.clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
    }

    /// With so many breached tickets of two people each, as what every job owes sees it.
    async fn owed(kind: Kind, things: i64) -> Owed {
        let fixture = Self::of(kind).await;
        let insert = format!(
            "INSERT INTO tickets (number, title, created_by, assignee_id, created_at, sla_due_at)
             SELECT n, 'Pump', k({}), k({}), '{CREATED}', '{DUE}' FROM generate_series(1, {things}) n",
            fixture.creator, fixture.leader
        );
        fixture.clinic.sql(&insert).await;
        Owed { subject: &SUBJECT, clinic: fixture.clinic, things, beside: None }
    }
}

const SUBJECT: Subject = Subject {
    job: &["monitor-ticket-sla", "--as-of", BREACHED],
    table: "tickets",
    written: ("ticket_history", "ticket_id"),
    evidence: &[("ticket_history", "ticket_id", 1), ("notifications", "entity_id", 2)],
    entity: "ticket",
    done: "/recorded",
    ..owed::SUBJECT
};

/// One kind of news, and how many were told.
fn told(risk: &str, people: u64) -> (Vec<String>, u64) {
    (vec![risk.to_owned()], people)
}

fn nothing() -> (Vec<String>, u64) {
    (vec![], 0)
}

#[tokio::test]
async fn the_risk_changes_at_a_quarter_and_at_a_tenth_and_breach_comes_after_the_due_date() {
    // (now, risk, breached?)
    let cases = [
        (CREATED, "low", false),
        ("2026-03-09T11:59:59.999999Z", "low", false),
        ("2026-03-09T12:00:00Z", "low", false),
        ("2026-03-09T12:00:00.000001Z", "medium", false),
        ("2026-03-10T23:59:59.999999Z", "medium", false),
        ("2026-03-11T00:00:00Z", "medium", false),
        ("2026-03-11T00:00:00.000001Z", "high", false),
        ("2026-03-11T23:59:59.999999Z", "high", false),
        (DUE, "high", false),
        ("2026-03-12T00:00:00.000001Z", "high", true),
        ("2027-03-12T00:00:00Z", "high", true),
    ];
    let fixture = TicketFixture::new().await;
    fixture.ticket("").await;
    for (now, risk, breached) in cases {
        // Each as if it were the first.
        fixture.clinic.sql("DELETE FROM ticket_history").await;
        let outcome = fixture.run(now).await;
        let at_risk = risk != "low" && !breached;
        let counts = ["checked", "breached", "at_risk", "recorded"].map(|key| outcome.count(key));
        assert_eq!(counts, [1, breached.into(), at_risk.into(), (risk != "low").into()], "{now}");
        let query = "SELECT coalesce(max(details->>'breachRisk'), 'low') AS risk,
                            coalesce(bool_and((details->>'isCompliant')::boolean), true) AS compliant
                     FROM ticket_history";
        assert_eq!(fixture.clinic.json(query).await, json!({"risk": risk, "compliant": !breached}), "{now}");
    }
}

#[tokio::test]
async fn shares_are_exact_however_long_the_time() {
    // In microseconds: few, a third of a second, a hundred years, and a little more than that.
    for total in [20_i64, 333_340, 3_155_760_000_000_000, 3_155_760_000_000_020] {
        let fixture = TicketFixture::new().await;
        let due: chrono::DateTime<chrono::Utc> = DUE.parse().expect("an instant");
        let before = |micros: i64| due - chrono::TimeDelta::microseconds(micros);
        fixture.ticket(&format!("created_at = '{}'", before(total).to_rfc3339())).await;
        for (left, news) in [
            (total / 4, nothing()),
            (total / 4 - 1, told("medium", 1)),
            (total / 10, nothing()),
            (total / 10 - 1, told("high", 1)),
        ] {
            assert_eq!(fixture.news(&before(left).to_rfc3339()).await, news, "{left} of {total}");
        }
    }
}

#[tokio::test]
async fn a_due_date_at_or_before_creation_is_a_high_risk() {
    for (due, now, breached) in [
        (CREATED, CREATED, false),
        (CREATED, "2026-03-02T00:00:00.000001Z", true),
        ("2026-03-01T00:00:00Z", CREATED, true),
        // A clock that went wrong: created later than now.
        ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z", false),
    ] {
        let fixture = TicketFixture::new().await;
        fixture.ticket(&format!("sla_due_at = '{due}'")).await;
        let outcome = fixture.run(now).await;
        let counts = ["checked", "breached", "at_risk"].map(|key| outcome.count(key));
        assert_eq!(counts, [1, breached.into(), (!breached).into()], "{due} {now}");
        let risk = fixture.clinic.json("SELECT details->'breachRisk' AS r FROM ticket_history").await;
        assert_eq!(risk["r"], "high", "{due} {now}");
    }
}

#[tokio::test]
async fn only_open_tickets_are_checked() {
    let fixture = TicketFixture::new().await;
    for status in ["OPEN", "IN_PROGRESS", "WAITING", "RESOLVED", "CLOSED"] {
        fixture.ticket(&format!("status = '{status}'")).await;
    }
    let outcome = fixture.run(BREACHED).await;
    assert_eq!(["checked", "breached", "recorded"].map(|key| outcome.count(key)), [3, 3, 3]);
    let recorded =
        fixture.clinic.json("SELECT array_agg(n(ticket_id) ORDER BY n(ticket_id)) AS t FROM ticket_history").await;
    assert_eq!(recorded["t"], json!([1, 2, 3]));
}

#[tokio::test]
async fn the_tickets_own_due_date_comes_first_then_the_sla_then_the_newest_active_policy() {
    let fixture = TicketFixture::new().await;
    fixture
        .clinic
        .sql(
            "INSERT INTO sla_policies (priority, resolution_minutes, active, created_at) VALUES
             ('HIGH', 1, true, '2026-01-01'), ('HIGH', 2880, true, '2026-01-03'), ('HIGH', 2, true, '2026-01-02'),
             ('HIGH', 3, false, '2026-01-04'), ('LOW', 4, true, '2026-01-05'), ('URGENT', 5, false, '2026-01-05')",
        )
        .await;
    // (what is set, the due date)
    let cases = [
        ("sla_due_at = '2026-03-06', custom_sla_due_at = '2026-03-20'", Some("2026-03-20T00:00:00Z")),
        ("sla_due_at = NULL, custom_sla_due_at = '2026-03-07'", Some("2026-03-07T00:00:00Z")),
        ("priority = 'LOW'", Some(DUE)),
        ("priority = 'HIGH', sla_due_at = NULL", Some("2026-03-04T00:00:00Z")),
        ("priority = 'HIGH', sla_due_at = NULL, custom_sla_due_at = '2026-03-09'", Some("2026-03-09T00:00:00Z")),
        ("priority = 'URGENT', sla_due_at = NULL", None),
        ("priority = 'MEDIUM', sla_due_at = NULL", None),
    ];
    for (changes, due) in cases {
        fixture.clinic.sql("TRUNCATE ticket_history, tickets CASCADE").await;
        let ticket = fixture.ticket(changes).await;
        let before = fixture.clinic.json("SELECT * FROM tickets").await;
        let Some(due) = due else {
            assert_eq!(fixture.run("2026-12-31T00:00:00Z").await.count("checked"), 0, "{changes}");
            continue;
        };
        let outcome = fixture.run(due).await;
        assert_eq!(["checked", "breached", "at_risk"].map(|key| outcome.count(key)), [1, 0, 1], "{changes}");
        fixture.clinic.sql("DELETE FROM ticket_history").await;
        let late = due.replace(":00Z", ":00.000001Z");
        assert_eq!(fixture.run(&late).await.count("breached"), 1, "{changes}");
        let recorded = format!("SELECT (details->>'dueAt')::timestamptz = '{due}' AS d FROM ticket_history");
        assert_eq!(fixture.clinic.json(&recorded).await["d"], true, "{changes}");
        assert_eq!(fixture.clinic.json("SELECT * FROM tickets").await, before, "ticket {ticket}: computed, not stored");
    }
}

#[tokio::test]
async fn only_what_is_worse_than_the_last_record_is_told() {
    let fixture = TicketFixture::new().await;
    let ticket = fixture.ticket("").await;
    for (as_of, news) in [
        (LOW, nothing()),
        (MEDIUM, told("medium", 1)),
        ("2026-03-10T12:00:00Z", nothing()),
        (HIGH, told("high", 1)),
        ("2026-03-11T18:00:00Z", nothing()),
        (DUE, nothing()),
        // A breach is worse than any risk of it.
        (BREACHED, told("high", 1)),
        ("2026-04-01T00:00:00Z", nothing()),
    ] {
        assert_eq!(fixture.news(as_of).await, news, "{as_of}");
    }
    // It gets better without a new due date, as when its creation is put right: recorded and not told, then told again.
    fixture.change(ticket, "created_at = '2026-02-01'").await;
    assert_eq!(fixture.news(MEDIUM).await, told("high", 0), "5 % of 39 days are left, and it is no breach any more");
    fixture.change(ticket, "created_at = '2026-03-08'").await;
    assert_eq!(fixture.news("2026-03-11T06:00:00Z").await, told("medium", 0));
    assert_eq!(fixture.news("2026-03-11T06:15:00Z").await, nothing());
    fixture.change(ticket, "created_at = '2026-03-11T05:00Z'").await;
    assert_eq!(fixture.news("2026-03-11T06:15:00Z").await, told("low", 0));
    assert_eq!(fixture.news("2026-03-11T06:30:00Z").await, nothing());
    assert_eq!(fixture.news("2026-03-11T20:00:00Z").await, told("medium", 1));
    assert_eq!(fixture.news("2026-03-11T23:00:00Z").await, told("high", 1));
}

#[tokio::test]
async fn a_due_date_that_moved_is_news_while_the_risk_lasts() {
    let fixture = TicketFixture::new().await;
    let ticket = fixture.ticket("").await;
    assert_eq!(fixture.news(MEDIUM).await, told("medium", 1));
    for (changes, news) in [
        ("sla_due_at = '2026-03-12T01:00Z'", told("medium", 1)),
        ("title = 'Pump again'", nothing()),
        // Back to where it was: that is a change as well.
        ("sla_due_at = '2026-03-12T00:00Z'", told("medium", 1)),
        ("custom_sla_due_at = '2026-03-12T00:00:00.000001Z'", told("medium", 1)),
        ("custom_sla_due_at = sla_due_at", told("medium", 1)),
        ("sla_due_at = '2026-05-01'", nothing()),
        ("custom_sla_due_at = '2026-03-10T01:00Z'", told("high", 1)),
        ("custom_sla_due_at = '2026-03-09'", told("high", 1)),
        // Less than before, and a risk still.
        ("custom_sla_due_at = '2026-03-12'", told("medium", 1)),
        ("custom_sla_due_at = '2026-03-30'", told("low", 0)),
        ("custom_sla_due_at = '2026-03-31'", nothing()),
        ("custom_sla_due_at = '2026-03-12'", told("medium", 1)),
    ] {
        fixture.change(ticket, changes).await;
        assert_eq!(fixture.news(MEDIUM).await, news, "{changes}");
    }
}

#[tokio::test]
async fn a_due_date_that_moved_with_its_policy_is_news_too() {
    let fixture = TicketFixture::new().await;
    fixture.clinic.sql("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('MEDIUM', 14400)").await;
    fixture.ticket("sla_due_at = NULL").await;
    assert_eq!(fixture.news(MEDIUM).await, told("medium", 1));
    fixture.clinic.sql("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('MEDIUM', 14000)").await;
    assert_eq!(fixture.news(MEDIUM).await, told("medium", 1));
    // The due date that was computed is stored: nothing moved.
    fixture
        .clinic
        .sql(&format!("UPDATE tickets SET sla_due_at = '{CREATED}'::timestamptz + interval '14000 minutes'"))
        .await;
    assert_eq!(fixture.news(MEDIUM).await, nothing());
}

#[tokio::test]
async fn what_was_found_is_recorded() {
    let fixture = TicketFixture::new().await;
    fixture.ticket("").await;
    fixture.ticket("sla_due_at = '2026-03-10T12:00Z'").await;
    let report = fixture.run(HIGH).await.report();
    let query = "SELECT to_jsonb(h) - 'id' FROM ticket_history h ORDER BY n(ticket_id)";
    for (row, (ticket, compliant, due, left)) in fixture
        .clinic
        .rows(query)
        .await
        .iter()
        .zip([("1", true, "2026-03-12T00:00:00", 43_200), ("2", false, "2026-03-10T12:00:00", -86_400)])
    {
        let mut found: Value = row.get(0);
        for (key, instant) in [("dueAt", due), ("checkedAt", "2026-03-11T12:00:00")] {
            let text = found["details"].as_object_mut().expect("an object").remove(key).expect("is there");
            assert!(text.as_str().expect("a text").starts_with(instant), "{key}: {text}");
        }
        let expected = json!({
            "ticket_id": ticket,
            "action": "sla_status_checked",
            "actor_id": null,
            "actor": "system",
            "details": {"isCompliant": compliant, "breachRisk": "high", "remainingTime": left},
            "created_at": "2026-03-11T12:00:00+00:00",
            "told_at": "2026-03-11T12:00:00+00:00",
            "run_id": report["run_id"],
        });
        assert_eq!(found, expected);
    }
    assert_eq!(fixture.clinic.count("SELECT count(*) FROM ticket_history").await, 2);
}

#[tokio::test]
async fn who_ran_it_by_hand_is_the_actor() {
    let fixture = TicketFixture::new().await;
    fixture.ticket("").await;
    let admin = fixture.clinic.user(fixture.facility, "HOSPITAL_ADMIN").await;
    let args = ["monitor-ticket-sla", "--as-of", HIGH, "--actor", &admin.to_string()];
    fixture.clinic.run(&args).await.expect(0);
    let actor = fixture.clinic.json("SELECT actor_id, actor <> 'system' AS by_name FROM ticket_history").await;
    assert_eq!(actor, json!({"actor_id": admin.to_string(), "by_name": true}));
}
