//! The rule in SQL against the same rule in Rust, on random tickets.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use crate::jobs::explained::Explained;
use crate::jobs::owed;
use crate::jobs::properties::{Manager, around, hire_managers, managers, pick, seed, stand_ins};
use crate::support::Clinic;

const TICKETS: i64 = 1500;
const PEOPLE: i64 = 40;

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
    /// Whether it is breached.
    told: BTreeMap<i64, bool>,
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
            news.told.insert(ticket.id, now > due);
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
    clinic.facility("America/New_York", None).await;
    clinic.sql("INSERT INTO teams (name, active) SELECT 'T', n > 2 FROM generate_series(1, 5) n; BEGIN").await;
    for _ in 0..PEOPLE {
        let user = clinic.user(facility, "AGENT").await;
        let (active, address, leader) = (rng.u8(..4) > 0, rng.bool(), rng.bool());
        let email = if address { "'u@example.org'" } else { pick(rng, &["NULL", "''", "' '"]) };
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
    let insert = "INSERT INTO tickets (number, title, created_by, assignee_id, team_id, facility_id)
                  VALUES (currval(pg_get_serial_sequence('tickets', 'id'))::text, 'Pump', $1, $2, $3, $4)
                  RETURNING id";
    for _ in 0..TICKETS {
        let person = |rng: &mut Rng| (rng.u8(..5) > 0).then(|| rng.i64(1..=PEOPLE));
        let facility = (rng.u8(..4) > 0).then(|| rng.i64(1..=2));
        let (creator, assignee, team) = (person(rng), person(rng), rng.bool().then(|| rng.i64(1..=5)));
        let ticket: i64 = clinic.row(insert, &[&creator, &assignee, &team, &facility]).await.get(0);
        for _ in 0..rng.u8(..3) {
            let follower = format!("({ticket}, {}) ON CONFLICT DO NOTHING", rng.i64(1..=PEOPLE));
            clinic.sql(&format!("INSERT INTO ticket_followers VALUES {follower}")).await;
        }
    }
    hire_managers(rng, &clinic, 2).await;
    // Of some of them what they want is known.
    for user in managers(&clinic).await.iter().filter(|user| user.id % 2 == 0) {
        let (email, in_app) = (if rng.bool() { "'u@example.org'" } else { "NULL" }, rng.bool());
        clinic
            .sql(&format!(
                "UPDATE users SET email = {email} WHERE id = {id};
                 INSERT INTO notification_preferences VALUES ({id}, {in_app}, {})",
                rng.bool(),
                id = user.id
            ))
            .await;
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

/// Whom a ticket concerns, who can be told by which channels, and who stands in for whom.
struct HelpDesk {
    people: BTreeSet<(i64, i64)>,
    /// Of a NORMAL notice, and of a HIGH one.
    channels: BTreeMap<i64, [Vec<&'static str>; 2]>,
    /// The managers who can be told.
    managers: Vec<Manager>,
    facilities: BTreeMap<i64, Option<i64>>,
}

impl HelpDesk {
    async fn read(clinic: &Clinic) -> Self {
        let people = "SELECT id, unnest(ARRAY[created_by, assignee_id]) FROM tickets
                      UNION SELECT ticket_id, user_id FROM ticket_followers
                      UNION SELECT t.id, m.user_id FROM tickets t JOIN team_members m USING (team_id)
                            WHERE m.is_leader AND t.team_id IN (SELECT id FROM teams WHERE active)";
        let users = "SELECT u.id, u.active, coalesce(btrim(u.email) <> '', false), p.in_app, p.email
                     FROM users u LEFT JOIN notification_preferences p ON p.user_id = u.id";
        let mut channels = BTreeMap::new();
        for row in clinic.rows(users).await {
            let [active, address]: [bool; 2] = [row.get(1), row.get(2)];
            let in_app = row.get::<_, Option<_>>(3).unwrap_or(true);
            let email = row.get::<_, Option<_>>(4).unwrap_or(false);
            let chosen = [false, true].map(|high| {
                let chosen = [("IN_APP", active && (in_app || high)), ("EMAIL", active && email && address)];
                chosen.iter().filter(|(_, chosen)| *chosen).map(|(channel, _)| *channel).collect::<Vec<_>>()
            });
            channels.insert(row.get::<_, i64>(0), chosen);
        }
        let people = clinic.rows(people).await;
        let people = people.iter().filter_map(|row| Some((row.get(0), row.get::<_, Option<i64>>(1)?))).collect();
        let mut managers = managers(clinic).await;
        managers.retain(|manager| !channels[&manager.id][1].is_empty());
        let facilities = clinic.rows("SELECT id, facility_id FROM tickets").await;
        let facilities = facilities.iter().map(|row| (row.get(0), row.get(1))).collect();
        Self { people, channels, managers, facilities }
    }

    /// Who is told of a ticket by which channel.
    fn told(&self, ticket: i64, is_high: bool, is_breached: bool) -> BTreeSet<(i64, i64, String)> {
        let channels = |user: i64| &self.channels[&user][usize::from(is_high)];
        let notices = |user: i64| channels(user).iter().map(move |channel| (ticket, user, (*channel).to_owned()));
        let people = self.people.range((ticket, i64::MIN)..=(ticket, i64::MAX));
        let told: BTreeSet<_> = people.flat_map(|(_, user)| notices(*user)).collect();
        if !told.is_empty() || !is_breached {
            return told;
        }
        stand_ins(&self.managers, self.facilities[&ticket]).into_iter().flat_map(notices).collect()
    }
}

#[tokio::test]
async fn ticket_news_is_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let clinic = help_desk(&mut rng).await;
    let desk = HelpDesk::read(&clinic).await;
    let mut last = Last::new();
    let start: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    // Time goes on, by days and by nothing; in between due dates move, or they do not.
    for (round, (hours, share)) in [(0, 10), (0, 0), (0, 4), (30, 0), (30, 3), (1000, 0), (1000, 8)].iter().enumerate()
    {
        let now = start + TimeDelta::hours(*hours);
        shuffle(&mut rng, &clinic, now, *share).await;
        let expected = news(&tickets(&clinic).await, &mut last, now);
        let as_of = format!("--as-of={}", now.to_rfc3339());
        let outcome = owed::ended(clinic.run(&["monitor-ticket-sla", &as_of, "--batch-rows=100"]).await);
        let what = format!("seed {seed}, round {round}");
        let report = outcome.report();
        let run = report["run_id"].as_str().expect("an id");
        let rows = async |query: &str| {
            clinic.client.query(&format!("{query} WHERE run_id = $1::text::uuid"), &[&run]).await.expect("can be asked")
        };
        let recorded = rows("SELECT n(ticket_id), details->>'breachRisk' FROM ticket_history").await;
        let recorded: BTreeMap<i64, String> = recorded.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(recorded, expected.recorded, "{what}");
        let told = rows("SELECT n(entity_id), n(recipient_id), channel FROM notifications").await;
        let told: Vec<(i64, i64, String)> = told.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let (mut people, mut alone) = (BTreeSet::new(), 0);
        for (ticket, is_breached) in &expected.told {
            let told = desk.told(*ticket, expected.recorded[ticket] == "high", *is_breached);
            alone += usize::from(*is_breached && told.is_empty());
            people.extend(told);
        }
        assert_eq!(told.iter().cloned().collect::<BTreeSet<_>>(), people, "{what}");
        let News { checked, breached, at_risk, recorded, .. } = &expected;
        let counts = [*checked, *breached, *at_risk, recorded.len(), people.len(), alone];
        let keys = ["checked", "breached", "at_risk", "recorded", "notifications_sent", "undeliverable"];
        assert_eq!(keys.map(|key| outcome.count(key)), counts.map(|count| count as u64), "{what}");
        assert_eq!(told.len(), people.len(), "each once: {what}");
        assert!(*share == 0 || expected.told.len() > 20, "the rows are no test: {what}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_ticket_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let clinic = help_desk(&mut rng).await;
    let start: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    shuffle(&mut rng, &clinic, start, 10).await;
    owed::ended(clinic.run(&["monitor-ticket-sla", &format!("--as-of={}", start.to_rfc3339())]).await);
    for (hours, share) in [(0, 4), (30, 0)] {
        let now = start + TimeDelta::hours(hours);
        shuffle(&mut rng, &clinic, now, share).await;
        clinic.sql("UPDATE tickets SET status = 'CLOSED' WHERE id > 150").await;
        let explained = Explained { clinic: &clinic, args: &["monitor-ticket-sla"], rows: (1..=160).collect() };
        explained.agree(&mut rng, now, &format!("seed {seed}")).await;
    }
}
