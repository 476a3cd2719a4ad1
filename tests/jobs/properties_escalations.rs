//! The rules of both SLAs in SQL against the same rules in Rust, on random rows with many values exactly on a boundary.
//! The seed is printed where they differ; set ROUNDS_TEST_SEED to see it again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use super::properties::seed;
use crate::support::Clinic;

const CASES: i64 = 1500;
const TICKETS: i64 = 1500;
const PEOPLE: i64 = 40;

fn pick<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

/// At an instant, within a microsecond of it, or within days of it.
fn around(rng: &mut Rng, instant: DateTime<Utc>) -> DateTime<Utc> {
    let micros = match rng.u8(..8) {
        0 | 1 => 0,
        2 => 1,
        3 => -1,
        _ => rng.i64(-200_000_000_000..200_000_000_000),
    };
    instant + TimeDelta::microseconds(micros)
}

/// Instants in winter, in summer, and at the change of a year.
fn instants() -> [DateTime<Utc>; 4] {
    ["2026-03-02T12:00:00Z", "2026-07-31T23:59:59.999999Z", "2027-01-01T00:00:00Z", "2026-11-01T06:20:00.5Z"]
        .map(|text| text.parse().expect("an instant"))
}

/// A case with all that the rule looks at.
struct Case {
    id: i64,
    facility: i64,
    status: String,
    active: Option<bool>,
    level: i32,
    due: Option<DateTime<Utc>>,
    escalated: Option<DateTime<Utc>>,
    /// The departments that could be told, best first, with their facilities.
    departments: [Option<(i64, i64)>; 2],
}

/// What a run does to a case.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Untouched,
    AtTheTop,
    Raised(Option<i64>),
}

impl Case {
    fn fate(&self, now: DateTime<Utc>, again: Option<TimeDelta>, only: Option<i64>, fallbacks: &[(i64, i64)]) -> Fate {
        let overdue = self.due.is_some_and(|due| due < now) && self.active != Some(false);
        let awaited = ["OPEN", "IN_PROGRESS"].contains(&self.status.as_str());
        let again = self.status == "ESCALATED"
            && self.level < 3
            && again.zip(self.escalated).is_some_and(|(again, escalated)| escalated <= now - again);
        if !overdue || !(awaited || again) || only.is_some_and(|only| only != self.facility) {
            return Fate::Untouched;
        }
        if self.level == 3 {
            return Fate::AtTheTop;
        }
        let candidates = self.departments.iter().flatten().chain(fallbacks);
        Fate::Raised(candidates.filter(|(_, facility)| *facility == self.facility).map(|(id, _)| *id).next())
    }
}

/// Four facilities with three departments each (department n is of facility (n - 1) / 3 + 1), visits, and random cases.
async fn random_cases(rng: &mut Rng, now: DateTime<Utc>, again: TimeDelta) -> Clinic {
    let clinic = Clinic::new().await;
    for _ in 0..4 {
        let facility = clinic.facility("America/New_York", None).await;
        clinic.doctor(facility, Some(15)).await;
        clinic
            .sql(&format!(
                "INSERT INTO departments (facility_id, name) SELECT {facility}, 'D' FROM generate_series(1, 3)"
            ))
            .await;
    }
    clinic.sql("ALTER TABLE px_cases DROP CONSTRAINT px_cases_assigned_department_id_facility_id_fkey; BEGIN").await;
    let department = |rng: &mut Rng| (rng.u8(..3) > 0).then(|| rng.i64(1..=12));
    for _ in 0..40 {
        let doctor = rng.i64(1..=4);
        let visit = clinic.scheduled(doctor, doctor, "2026-03-01", "09:00").await;
        let update = "UPDATE appointments SET department_id = $1 WHERE id = $2";
        clinic.client.execute(update, &[&department(rng), &visit]).await.expect("can be set");
    }
    let insert = "INSERT INTO px_cases (facility_id, assigned_department_id, appointment_id, status, active,
                                        escalation_level, due_at, escalated_at)
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id";
    for _ in 0..CASES {
        let facility = rng.i64(1..=4);
        let status = pick(rng, &["OPEN", "IN_PROGRESS", "ESCALATED", "ESCALATED", "RESOLVED", "CLOSED"]);
        let level = rng.i32(i32::from(status == "ESCALATED")..=3);
        let escalated = (level > 0).then(|| around(rng, now - again));
        let half_days_ago = TimeDelta::hours(rng.i64(0..3) * 12);
        let due = (rng.u8(..8) > 0).then(|| around(rng, now - half_days_ago));
        let visit = rng.bool().then(|| rng.i64(1..=40));
        let active = pick(rng, &[Some(true), Some(true), None, Some(false)]);
        let department = department(rng);
        clinic.row(insert, &[&facility, &department, &visit, &status, &active, &level, &due, &escalated]).await;
    }
    clinic.sql("COMMIT").await;
    clinic
}

async fn cases(clinic: &Clinic) -> Vec<Case> {
    let query = "SELECT c.id, c.facility_id, c.status, c.active, c.escalation_level, c.due_at, c.escalated_at,
                        c.assigned_department_id, v.department_id
                 FROM px_cases c LEFT JOIN appointments v ON v.id = c.appointment_id ORDER BY c.id";
    let department = |id: Option<i64>| id.map(|id| (id, (id - 1) / 3 + 1));
    let case = |row: &tokio_postgres::Row| Case {
        id: row.get(0),
        facility: row.get(1),
        status: row.get(2),
        active: row.get(3),
        level: row.get(4),
        due: row.get(5),
        escalated: row.get(6),
        departments: [department(row.get(7)), department(row.get(8))],
    };
    clinic.rows(query).await.iter().map(case).collect()
}

#[tokio::test]
async fn escalations_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for now in instants() {
        let hours = rng.i64(1..50);
        let clinic = random_cases(&mut rng, now, TimeDelta::hours(hours)).await;
        let cases = cases(&clinic).await;
        let again = (rng.u8(..4) > 0).then(|| TimeDelta::hours(hours));
        let only = (rng.u8(..4) == 0).then(|| rng.i64(1..=4));
        let mut fallbacks = vec![];
        for facility in 1..=4 {
            if rng.bool() {
                fallbacks.push((facility * 3 - rng.i64(0..3), facility));
            }
        }
        let mut args =
            vec!["escalate-sla".to_owned(), format!("--as-of={}", now.to_rfc3339()), "--batch-rows=100".into()];
        args.extend(again.map(|_| format!("--re-escalate-after={hours}h")));
        args.extend(only.map(|only| format!("--facility={only}")));
        args.extend(fallbacks.iter().map(|(id, _)| format!("--fallback-department={id}")));
        let outcome = clinic.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await.expect(0);

        let fates = cases.iter().map(|case| (case.id, case.fate(now, again, only, &fallbacks)));
        let fates: BTreeMap<i64, Fate> = fates.collect();
        let mut expected: BTreeMap<i64, (i32, Option<i64>)> = BTreeMap::new();
        for case in &cases {
            if let Fate::Raised(told) = fates[&case.id] {
                expected.insert(case.id, (case.level + 1, told));
            }
        }
        let found = "SELECT c.id, (a.after->>'escalationLevel')::int, n.recipient_id
                     FROM px_cases c JOIN px_case_audits a ON a.case_id = c.id AND c.status = 'ESCALATED'
                     AND (a.after->>'escalationLevel')::int = c.escalation_level
                     LEFT JOIN notifications n ON n.entity_id = c.id::text";
        let found = clinic.rows(found).await;
        let found: BTreeMap<i64, _> = found.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let what = format!("seed {seed}, {args:?}");
        assert!(expected.len() > 20, "the rows are no test: {}, {what}", expected.len());
        assert_eq!(found, expected, "{what}");
        let at_the_top = fates.values().filter(|fate| **fate == Fate::AtTheTop).count();
        let alone = expected.values().filter(|(_, told)| told.is_none()).count();
        let counts = [expected.len() + at_the_top, expected.len(), at_the_top, alone, expected.len() - alone];
        let keys = ["scanned", "escalated", "skipped", "undeliverable", "notifications"];
        assert_eq!(keys.map(|key| outcome.count(key)), counts.map(|count| count as u64), "{what}");
        let rows = "SELECT count(*) FROM px_case_audits UNION ALL SELECT count(*) FROM notifications";
        let rows: Vec<i64> = clinic.rows(rows).await.iter().map(|row| row.get(0)).collect();
        assert_eq!(rows, [expected.len() as i64, (expected.len() - alone) as i64], "{what}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Risk {
    Low,
    Medium,
    High,
}

/// A ticket with all that the rule looks at.
struct Ticket {
    id: i64,
    open: bool,
    created: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
}

impl Ticket {
    fn risk(&self, due: DateTime<Utc>, now: DateTime<Utc>) -> Risk {
        let (left, whole) = (due - now, due - self.created);
        if now > due || whole <= TimeDelta::zero() || left * 10 < whole {
            Risk::High
        } else if left * 4 < whole {
            Risk::Medium
        } else {
            Risk::Low
        }
    }
}

/// What is remembered of a ticket: the risk, and the due date that it was judged by.
type Last = BTreeMap<i64, ((bool, Risk), DateTime<Utc>)>;

/// What a run has to say: the tickets that are recorded with their risk, and those of them that people are told of.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    checked: usize,
    breached: usize,
    at_risk: usize,
    recorded: BTreeMap<i64, String>,
    told: BTreeSet<i64>,
}

fn news(tickets: &[Ticket], last: &mut Last, now: DateTime<Utc>) -> News {
    let mut news = News::default();
    for ticket in tickets.iter().filter(|ticket| ticket.open) {
        let Some(due) = ticket.due else { continue };
        let risk = ticket.risk(due, now);
        news.checked += 1;
        news.breached += usize::from(now > due);
        news.at_risk += usize::from(now <= due && risk > Risk::Low);
        let before = last.get(&ticket.id);
        // A breach is worse than any risk of it.
        let state = (now > due, risk);
        let worse = before.is_none_or(|(before, _)| state > *before);
        let moved = before.is_some_and(|(_, before)| due != *before);
        let told = risk > Risk::Low && (worse || moved);
        if told || before.is_some_and(|(before, _)| state < *before) {
            last.insert(ticket.id, (state, due));
            news.recorded.insert(ticket.id, format!("{risk:?}").to_lowercase());
        }
        if told {
            news.told.insert(ticket.id);
        }
    }
    news
}

/// A due date for a ticket which is at a boundary of the risk at that instant, or near it, or far away.
fn due_date(rng: &mut Rng, created: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    // Where a quarter is left now, a tenth, nothing, all: as a share of what has passed.
    let (part, of) = pick(rng, &[(4, 3), (10, 9), (1, 1), (0, 1), (2, 1), (20, 1)]);
    let exact = created + TimeDelta::microseconds((now - created).num_microseconds().expect("not so long") / of * part);
    around(rng, exact)
}

/// Writes random values over those of random tickets, so that due dates move and statuses change between runs.
async fn shuffle(rng: &mut Rng, clinic: &Clinic, now: DateTime<Utc>, share: u8) {
    let update =
        "UPDATE tickets SET created_at = $2, status = $3, priority = $4, sla_due_at = $5, custom_sla_due_at = $6
                  WHERE id = $1";
    clinic.sql("BEGIN").await;
    for ticket in 1..=TICKETS {
        if rng.u8(..10) >= share {
            continue;
        }
        // A multiple of 90 microseconds ago, so that a quarter and a tenth can be left exactly.
        let longest = pick(rng, &[10, 10_000_000_000]);
        let created = now - TimeDelta::microseconds(90 * rng.i64(1..longest));
        let status = pick(rng, &["OPEN", "OPEN", "IN_PROGRESS", "WAITING", "RESOLVED", "CLOSED"]);
        let priority = pick(rng, &["LOW", "MEDIUM", "HIGH", "URGENT"]);
        let sla = (rng.u8(..3) > 0).then(|| due_date(rng, created, now));
        let custom = (rng.u8(..3) == 0).then(|| due_date(rng, created, now));
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
            [&ticket, &created, &status, &priority, &sla, &custom];
        assert_eq!(clinic.client.execute(update, &params).await.expect("can be set"), 1);
    }
    clinic.sql("COMMIT").await;
}

/// People with random preferences in random roles, and policies for all priorities but one.
async fn help_desk(rng: &mut Rng) -> Clinic {
    let clinic = Clinic::new().await;
    let facility = clinic.facility("America/New_York", None).await;
    clinic.sql("INSERT INTO teams (name) SELECT 'T' FROM generate_series(1, 5); BEGIN").await;
    for _ in 0..PEOPLE {
        let user = clinic.user(facility, "AGENT").await;
        let (active, address, leader) = (rng.u8(..4) > 0, rng.bool(), rng.bool());
        let email = if address { "'u@example.org'" } else { "NULL" };
        let team = rng.i64(1..=5);
        clinic
            .sql(&format!(
                "UPDATE users SET active = {active}, email = {email} WHERE id = {user};
                 INSERT INTO team_members VALUES ({team}, {user}, {leader})"
            ))
            .await;
        if rng.u8(..3) > 0 {
            let insert = "INSERT INTO notification_preferences VALUES";
            clinic.sql(&format!("{insert} ({user}, {}, {})", rng.bool(), rng.bool())).await;
        }
    }
    let insert = "INSERT INTO sla_policies (priority, resolution_minutes, active, created_at)
                  VALUES ($1, $2, $3, $4::text::timestamptz)";
    for number in 1..20 {
        let priority = pick(rng, &["LOW", "MEDIUM", "HIGH"]);
        let (minutes, active, at) = (rng.i32(1..20_000), rng.bool(), format!("2026-01-{number:02}T00:00Z"));
        clinic.client.execute(insert, &[&priority, &minutes, &active, &at]).await.expect("can be inserted");
    }
    let insert = "INSERT INTO tickets (number, title, created_by, assignee_id, team_id)
                  VALUES (currval(pg_get_serial_sequence('tickets', 'id'))::text, 'Pump', $1, $2, $3) RETURNING id";
    for _ in 0..TICKETS {
        let person = |rng: &mut Rng| (rng.u8(..5) > 0).then(|| rng.i64(1..=PEOPLE));
        let (creator, assignee, team) = (person(rng), person(rng), rng.bool().then(|| rng.i64(1..=5)));
        let ticket: i64 = clinic.row(insert, &[&creator, &assignee, &team]).await.get(0);
        for _ in 0..rng.u8(..3) {
            let follower = format!("({ticket}, {}) ON CONFLICT DO NOTHING", rng.i64(1..=PEOPLE));
            clinic.sql(&format!("INSERT INTO ticket_followers VALUES {follower}")).await;
        }
    }
    clinic.sql("COMMIT").await;
    clinic
}

async fn tickets(clinic: &Clinic) -> Vec<Ticket> {
    let policies =
        clinic.rows("SELECT priority, resolution_minutes FROM sla_policies WHERE active ORDER BY created_at");
    // The newest comes last and stays.
    let policies = policies.await;
    let policies: BTreeMap<&str, i32> = policies.iter().map(|row| (row.get(0), row.get(1))).collect();
    let query = "SELECT id, status, created_at, custom_sla_due_at, sla_due_at, priority FROM tickets";
    let ticket = |row: &tokio_postgres::Row| {
        let (status, created, priority): (&str, DateTime<Utc>, &str) = (row.get(1), row.get(2), row.get(5));
        let computed = policies.get(priority).map(|minutes| created + TimeDelta::minutes((*minutes).into()));
        let due = row.get::<_, Option<_>>(3).or(row.get(4)).or(computed);
        Ticket { id: row.get(0), open: !["RESOLVED", "CLOSED"].contains(&status), created, due }
    };
    clinic.rows(query).await.iter().map(ticket).collect()
}

/// Who is to be told of each ticket by which channel.
async fn recipients(clinic: &Clinic) -> BTreeSet<(i64, i64, String)> {
    let people = "SELECT id, unnest(ARRAY[created_by, assignee_id]) FROM tickets
                  UNION SELECT ticket_id, user_id FROM ticket_followers
                  UNION SELECT t.id, m.user_id FROM tickets t JOIN team_members m USING (team_id) WHERE m.is_leader";
    let users = "SELECT u.id, u.active, u.email IS NOT NULL, p.in_app, p.email
                 FROM users u LEFT JOIN notification_preferences p ON p.user_id = u.id";
    let mut channels: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for row in clinic.rows(users).await {
        let [active, address]: [bool; 2] = [row.get(1), row.get(2)];
        let (in_app, email) = (row.get::<_, Option<_>>(3).unwrap_or(true), row.get::<_, Option<_>>(4).unwrap_or(false));
        let chosen = [("IN_APP", active && in_app), ("EMAIL", active && email && address)];
        channels.insert(row.get(0), chosen.iter().filter(|(_, chosen)| *chosen).map(|(channel, _)| *channel).collect());
    }
    let mut recipients = BTreeSet::new();
    for row in clinic.rows(people).await {
        let (ticket, Some(user)) = (row.get(0), row.get::<_, Option<i64>>(1)) else { continue };
        recipients.extend(channels[&user].iter().map(|channel| (ticket, user, (*channel).to_owned())));
    }
    recipients
}

#[tokio::test]
async fn ticket_news_is_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let clinic = help_desk(&mut rng).await;
    let recipients = recipients(&clinic).await;
    let mut last = Last::new();
    let start: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    // Time goes on, by days and by nothing; in between due dates move, or they do not.
    for (round, (hours, share)) in [(0, 10), (0, 0), (0, 4), (30, 0), (30, 3), (1000, 0), (1000, 8)].iter().enumerate()
    {
        let now = start + TimeDelta::hours(*hours);
        shuffle(&mut rng, &clinic, now, *share).await;
        let expected = news(&tickets(&clinic).await, &mut last, now);
        let as_of = format!("--as-of={}", now.to_rfc3339());
        let outcome = clinic.run(&["monitor-ticket-sla", &as_of, "--batch-rows=100"]).await.expect(0);
        let what = format!("seed {seed}, round {round}");
        let report = outcome.report();
        let run = report["run_id"].as_str().expect("an id");
        let rows = async |query: &str| {
            clinic.client.query(&format!("{query} WHERE run_id = $1::text::uuid"), &[&run]).await.expect("can be asked")
        };
        let recorded = rows("SELECT ticket_id, details->>'breachRisk' FROM ticket_history").await;
        let recorded: BTreeMap<i64, String> = recorded.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(recorded, expected.recorded, "{what}");
        let told = rows("SELECT entity_id::bigint, recipient_id, channel FROM notifications").await;
        let told: Vec<(i64, i64, String)> = told.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let people: BTreeSet<_> =
            recipients.iter().filter(|(ticket, ..)| expected.told.contains(ticket)).cloned().collect();
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), people, "{what}");
        let counts = [expected.checked, expected.breached, expected.at_risk, expected.recorded.len(), people.len()];
        let keys = ["checked", "breached", "at_risk", "recorded", "notifications_sent"];
        assert_eq!(keys.map(|key| outcome.count(key)), counts.map(|count| count as u64), "{what}");
        assert_eq!(told.len(), people.len(), "each once: {what}");
        assert!(*share == 0 || expected.told.len() > 20, "the rows are no test: {what}");
    }
}
