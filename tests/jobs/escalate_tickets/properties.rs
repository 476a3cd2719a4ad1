//! Every condition of an escalation rule in SQL against the same in Rust, on random tickets, many of them on a boundary to
//! the minute; in two runs, so that episodes begin, go on and end.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::jobs::properties::seed;
use crate::support::Clinic;

const TICKETS: usize = 600;
const STATUSES: [&str; 5] = ["OPEN", "IN_PROGRESS", "WAITING", "RESOLVED", "CLOSED"];
const PRIORITIES: [&str; 4] = ["LOW", "MEDIUM", "HIGH", "URGENT"];
const OPERATORS: [&str; 5] = ["<", "<=", "=", ">=", ">"];

/// A ticket with all that the conditions look at.
struct Row {
    id: i64,
    status: String,
    status_changed: DateTime<Utc>,
    priority: String,
    created: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
    custom: Option<DateTime<Utc>>,
    rating: Option<i32>,
    /// The last comment that the customer can see.
    answered: Option<DateTime<Utc>>,
}

impl Row {
    fn due(&self, high_minutes: i64) -> Option<DateTime<Utc>> {
        let policy = (self.priority == "HIGH").then(|| self.created + Duration::minutes(high_minutes));
        self.custom.or(self.due).or(policy)
    }

    fn holds(&self, kind: &str, condition: &Value, now: DateTime<Utc>, high_minutes: i64) -> bool {
        let hours = |key: &str| Duration::minutes((condition[key].as_f64().expect("hours") * 60.0).round() as i64);
        if ["RESOLVED", "CLOSED"].contains(&self.status.as_str()) {
            return false;
        }
        match kind {
            "sla_breach" => self.due(high_minutes).is_some_and(|due| now > due + hours("thresholdHours")),
            "time_in_status" => {
                condition["status"] == self.status.as_str() && now >= self.status_changed + hours("hours")
            }
            "priority_level" => condition["priorities"].as_array().expect("some").contains(&json!(self.priority)),
            "no_response" => now >= self.answered.unwrap_or(self.created) + hours("hours"),
            _ => self.rating.is_some_and(|rating| {
                let bound = condition["rating"].as_i64().expect("a rating") as i32;
                match condition["operator"].as_str() {
                    Some("<") => rating < bound,
                    Some("<=") => rating <= bound,
                    Some("=") => rating == bound,
                    Some(">=") => rating >= bound,
                    _ => rating > bound,
                }
            }),
        }
    }
}

fn one<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

/// A time of whole minutes before noon.
fn ago(rng: &mut Rng, noon: DateTime<Utc>) -> DateTime<Utc> {
    noon - Duration::minutes(rng.i64(0..240))
}

async fn change(rng: &mut Rng, clinic: &Clinic, noon: DateTime<Utc>, id: i64) {
    let maybe = |rng: &mut Rng| rng.bool().then(|| ago(rng, noon));
    let (due, custom) = (maybe(rng), if rng.u8(..4) == 0 { maybe(rng) } else { None });
    let rating = rng.bool().then(|| rng.i32(1..=5));
    let (status, priority, changed) = (one(rng, &STATUSES), one(rng, &PRIORITIES), ago(rng, noon));
    let update = "UPDATE tickets SET status = $2, priority = $3, status_changed_at = $4, sla_due_at = $5,
                                     custom_sla_due_at = $6, customer_rating = $7 WHERE id = $1";
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
        [&id, &status, &priority, &changed, &due, &custom, &rating];
    clinic.client.execute(update, &values).await.expect("can be changed");
    for _ in 0..rng.u8(..3) {
        let comment =
            "INSERT INTO ticket_comments (ticket_id, body, visible_to_customer, created_at) VALUES ($1, 'b', $2, $3)";
        clinic.client.execute(comment, &[&id, &rng.bool(), &ago(rng, noon)]).await.expect("can be inserted");
    }
}

fn random_condition(rng: &mut Rng) -> (&'static str, Value) {
    let hours = f64::from(rng.u8(0..16)) / 4.0;
    match rng.u8(..5) {
        // Before or after the breach.
        0 => ("sla_breach", json!({ "thresholdHours": if rng.bool() { hours } else { -hours } })),
        1 => ("time_in_status", json!({ "status": one(rng, &STATUSES[..3]), "hours": hours })),
        2 => ("priority_level", json!({ "priorities": [one(rng, &PRIORITIES), one(rng, &PRIORITIES)] })),
        3 => ("no_response", json!({ "hours": hours })),
        _ => ("customer_rating", json!({ "rating": rng.i32(1..=5), "operator": one(rng, &OPERATORS) })),
    }
}

async fn rows(clinic: &Clinic) -> Vec<Row> {
    let query =
        "SELECT t.id, t.status, t.status_changed_at, t.priority, t.created_at, t.sla_due_at, t.custom_sla_due_at,
                        t.customer_rating, (SELECT max(c.created_at) FROM ticket_comments c
                                            WHERE c.ticket_id = t.id AND c.visible_to_customer)
                 FROM tickets t";
    let row = |row: &tokio_postgres::Row| Row {
        id: row.get(0),
        status: row.get(1),
        status_changed: row.get(2),
        priority: row.get(3),
        created: row.get(4),
        due: row.get(5),
        custom: row.get(6),
        rating: row.get(7),
        answered: row.get(8),
    };
    clinic.rows(query).await.iter().map(row).collect()
}

#[tokio::test]
async fn conditions_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    let clinic = Clinic::new().await;
    let follower = clinic.agent().await;
    let high_minutes = rng.i64(1..240);
    clinic
        .sql(&format!("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('HIGH', {high_minutes}); BEGIN"))
        .await;
    for number in 0..TICKETS {
        let insert = "INSERT INTO tickets (number, title, created_at) VALUES ($1, 't', $2) RETURNING id";
        let id: i64 = clinic.row(insert, &[&format!("T{number}"), &ago(&mut rng, noon)]).await.get(0);
        change(&mut rng, &clinic, noon, id).await;
    }
    clinic.sql("COMMIT").await;
    let mut rules = vec![];
    for _ in 0..25 {
        let (kind, condition) = random_condition(&mut rng);
        let id = clinic.rule((kind, condition.clone()), ("add_follower", json!({ "userIds": [follower] }))).await;
        rules.push((id, kind, condition));
    }
    let mut fired = 0;
    let mut before = BTreeSet::new();
    for run in 1..=2 {
        let rows = rows(&clinic).await;
        let holds: BTreeSet<(i64, i64)> = rules
            .iter()
            .flat_map(|(rule, kind, condition)| {
                let holds = rows.iter().filter(|row| row.holds(kind, condition, noon, high_minutes));
                holds.map(|row| (*rule, row.id)).collect::<Vec<_>>()
            })
            .collect();
        fired += holds.difference(&before).count();
        assert!(fired > 500, "the tickets are no test: {fired}");
        clinic.run(&["escalate-tickets", "--as-of", &noon.to_rfc3339(), "--batch-rows", "100"]).await.expect(0);
        let episodes = clinic.rows("SELECT n(rule_id), n(ticket_id) FROM escalation_episodes").await;
        let episodes: BTreeSet<(i64, i64)> = episodes.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(episodes, holds, "seed {seed}, run {run}");
        assert_eq!(clinic.count("SELECT count(*) FROM ticket_history").await, fired as i64, "seed {seed}, run {run}");
        before = holds;
        clinic.sql("BEGIN").await;
        for row in rows.iter().filter(|_| rng.bool()).map(|row| row.id).collect::<Vec<_>>() {
            change(&mut rng, &clinic, noon, row).await;
        }
        clinic.sql("COMMIT").await;
    }
}
