//! Every condition of an escalation rule in SQL against the same in Rust, on random tickets, many of them on a boundary to
//! the minute; in some runs, so that episodes begin, go on and end, actions are refused, and rules are switched off.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::jobs::explained::Explained;
use crate::jobs::properties::seed;
use crate::support::Clinic;

const TICKETS: usize = 600;
/// The users who make, have and answer tickets; of each team one of them.
const PEOPLE: [i64; 4] = [1, 2, 3, 4];
const TEAMS: [i64; 2] = [1, 2];
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
    /// The last comment of the staff that the customer can see.
    answered: Option<DateTime<Utc>>,
}

/// The author of a comment that the customer can see, and when it was written.
type Comment = (Option<i64>, DateTime<Utc>);

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
    let mut person = |of: &[i64]| (rng.u8(..4) > 0).then(|| of[rng.usize(..of.len())]);
    let (creator, assignee, team) = (person(&PEOPLE), person(&PEOPLE), person(&TEAMS));
    let update = "UPDATE tickets SET status = $2, priority = $3, status_changed_at = $4, sla_due_at = $5,
                                     custom_sla_due_at = $6, customer_rating = $7, created_by = $8, assignee_id = $9,
                                     team_id = $10 WHERE id = $1";
    let values: [&(dyn tokio_postgres::types::ToSql + Sync); 10] =
        [&id, &status, &priority, &changed, &due, &custom, &rating, &creator, &assignee, &team];
    clinic.client.execute(update, &values).await.expect("can be changed");
    for _ in 0..rng.u8(..4) {
        let comment = "INSERT INTO ticket_comments (ticket_id, author_id, body, visible_to_customer, created_at)
                       VALUES ($1, $2, 'b', $3, $4)";
        let author = (rng.u8(..4) > 0).then(|| PEOPLE[rng.usize(..PEOPLE.len())]);
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&id, &author, &(rng.u8(..4) > 0), &ago(rng, noon)];
        clinic.client.execute(comment, &values).await.expect("can be inserted");
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
    let mut comments: BTreeMap<i64, Vec<Comment>> = BTreeMap::new();
    let visible = "SELECT ticket_id, author_id, created_at FROM ticket_comments WHERE visible_to_customer";
    for row in clinic.rows(visible).await {
        comments.entry(row.get(0)).or_default().push((row.get(1), row.get(2)));
    }
    let members = clinic.rows("SELECT team_id, user_id FROM team_members").await;
    let members: BTreeSet<(i64, i64)> = members.iter().map(|row| (row.get(0), row.get(1))).collect();
    // The last comment of the staff in a ticket of that creator, assignee and team.
    let answered = |ticket: i64, creator: Option<i64>, assignee: Option<i64>, team: Option<i64>| {
        let is_staff = |author: i64| {
            creator != Some(author)
                || assignee == Some(author)
                || team.is_some_and(|team| members.contains(&(team, author)))
        };
        let comments = comments.get(&ticket).into_iter().flatten();
        comments.filter(|(author, _)| author.is_some_and(is_staff)).map(|(_, at)| *at).max()
    };
    let query = "SELECT t.id, t.status, t.status_changed_at, t.priority, t.created_at, t.sla_due_at,
                        t.custom_sla_due_at, t.customer_rating, t.created_by, t.assignee_id, t.team_id
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
        answered: answered(row.get(0), row.get(8), row.get(9), row.get(10)),
    };
    clinic.rows(query).await.iter().map(row).collect()
}

/// A rule, and whether it can be carried out.
struct Rule {
    id: i64,
    kind: &'static str,
    condition: Value,
    /// Whom it adds as a follower; each rule has a user of its own.
    follower: i64,
    active: bool,
    /// Whether the follower is active, so that the action is not refused.
    allowed: bool,
}

async fn random_rules(rng: &mut Rng, clinic: &Clinic, number: usize) -> Vec<Rule> {
    let mut rules = vec![];
    for _ in 0..number {
        let (kind, condition) = random_condition(rng);
        let follower = clinic.agent().await;
        let id = clinic.rule((kind, condition.clone()), ("add_follower", json!({ "userIds": [follower] }))).await;
        rules.push(Rule { id, kind, condition, follower, active: true, allowed: true });
    }
    rules
}

/// What is known of a rule and a ticket: whether its action was refused.
type Episodes = BTreeMap<(i64, i64), bool>;

/// What a run does: executed, failed, skipped.
type Counts = [u64; 3];

fn judge(rules: &[Rule], rows: &[Row], episodes: &mut Episodes, noon: DateTime<Utc>, high_minutes: i64) -> Counts {
    let [mut executed, mut failed, mut skipped] = [0; 3];
    for rule in rules {
        for row in rows {
            let key = (rule.id, row.id);
            if !rule.active || !row.holds(rule.kind, &rule.condition, noon, high_minutes) {
                episodes.remove(&key);
                continue;
            }
            match (episodes.get(&key), rule.allowed) {
                (Some(false), _) => continue,
                (_, true) => executed += 1,
                (Some(true), false) => skipped += 1,
                (None, false) => failed += 1,
            }
            episodes.insert(key, !rule.allowed);
        }
    }
    [executed, failed, skipped]
}

/// So many random tickets, of the people of two teams.
async fn help_desk(rng: &mut Rng, noon: DateTime<Utc>, tickets: usize, high_minutes: i64) -> Clinic {
    let clinic = Clinic::new().await;
    for _ in PEOPLE {
        clinic.agent().await;
    }
    clinic
        .sql(&format!(
            "INSERT INTO teams (name) VALUES ('A'), ('B'); INSERT INTO team_members VALUES (1, 1), (2, 2);
             INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('HIGH', {high_minutes}); BEGIN"
        ))
        .await;
    for number in 0..tickets {
        let insert = "INSERT INTO tickets (number, title, created_at) VALUES ($1, 't', $2) RETURNING id";
        let id: i64 = clinic.row(insert, &[&format!("T{number}"), &ago(rng, noon)]).await.get(0);
        change(rng, &clinic, noon, id).await;
    }
    clinic.sql("COMMIT").await;
    clinic
}

#[tokio::test]
async fn conditions_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    let high_minutes = rng.i64(1..240);
    let clinic = help_desk(&mut rng, noon, TICKETS, high_minutes).await;
    let mut rules = random_rules(&mut rng, &clinic, 25).await;
    let (mut expected, mut sum) = (Episodes::new(), [0; 3]);
    for run in 1..=4 {
        for rule in &mut rules {
            // What was refused once is often refused again.
            rule.allowed = if rule.allowed { rng.u8(..3) > 0 } else { rng.bool() };
            rule.active = rng.u8(..6) > 0;
            let Rule { id, follower, active, allowed, .. } = rule;
            clinic
                .sql(&format!(
                    "UPDATE escalation_rules SET active = {active} WHERE id = {id};
                     UPDATE users SET active = {allowed} WHERE id = {follower}"
                ))
                .await;
        }
        let rows = rows(&clinic).await;
        let counts = judge(&rules, &rows, &mut expected, noon, high_minutes);
        let outcome = clinic.run(&["escalate-tickets", "--as-of", &noon.to_rfc3339(), "--batch-rows", "100"]).await;
        let what = format!("seed {seed}, run {run}");
        assert_eq!(["executed", "failed", "skipped"].map(|key| outcome.count(key)), counts, "{what}");
        let episodes = clinic.rows("SELECT n(rule_id), n(ticket_id), refused_at FROM escalation_episodes").await;
        let is_refused = |row: &tokio_postgres::Row| row.get::<_, Option<DateTime<Utc>>>(2).is_some();
        let episodes: Episodes = episodes.iter().map(|row| ((row.get(0), row.get(1)), is_refused(row))).collect();
        assert_eq!(episodes, expected, "{what}");
        for (sum, count) in sum.iter_mut().zip(counts) {
            *sum += count;
        }
        let history = clinic.count("SELECT count(*) FROM ticket_history").await;
        assert_eq!(history as u64, sum[0] + sum[1], "a refusal is recorded once: {what}");
        clinic.sql("BEGIN").await;
        for row in rows.iter().filter(|_| rng.bool()).map(|row| row.id).collect::<Vec<_>>() {
            change(&mut rng, &clinic, noon, row).await;
        }
        clinic.sql("COMMIT").await;
    }
    assert!(sum[0] > 500 && sum[1] > 50 && sum[2] > 0, "the tickets are no test: {sum:?}");
}

#[tokio::test]
async fn a_priority_is_raised_as_the_oracle_says_and_never_gives_more_time() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    let clinic = Clinic::new().await;
    let mut policies = BTreeMap::new();
    for priority in PRIORITIES {
        if rng.u8(..4) == 0 {
            continue;
        }
        let minutes = rng.i64(1..240);
        policies.insert(priority.to_owned(), minutes);
        let insert =
            format!("INSERT INTO sla_policies (priority, resolution_minutes) VALUES ('{priority}', {minutes})");
        clinic.sql(&insert).await;
    }
    clinic.sql("BEGIN").await;
    for number in 0..300 {
        let insert =
            "INSERT INTO tickets (number, title, priority, created_at, sla_due_at) VALUES ($1, 't', $2, $3, $4)
                      RETURNING id";
        let (number, priority, created) = (format!("T{number}"), one(&mut rng, &PRIORITIES), ago(&mut rng, noon));
        let due = rng.bool().then(|| ago(&mut rng, noon));
        clinic.row(insert, &[&number, &priority, &created, &due]).await;
    }
    clinic.sql("COMMIT").await;
    clinic.rule(("no_response", json!({"hours": 0})), ("increase_priority", json!({}))).await;
    let before = rows(&clinic).await;
    clinic.run(&["escalate-tickets", "--as-of", &noon.to_rfc3339(), "--batch-rows", "100"]).await.expect(0);
    let after: BTreeMap<i64, Row> = rows(&clinic).await.into_iter().map(|row| (row.id, row)).collect();
    for row in before {
        let raised = PRIORITIES[(PRIORITIES.iter().position(|name| *name == row.priority).expect("one") + 1).min(3)];
        let by = |priority: &str| policies.get(priority).map(|minutes| row.created + Duration::minutes(*minutes));
        // A ticket's date in force, before it and after it.
        let promised = row.due.or(by(&row.priority));
        let new = &after[&row.id];
        let in_force = new.due.or(by(&new.priority));
        let by_raised = if raised == row.priority { None } else { by(raised) };
        let earlier = [promised, by_raised].into_iter().flatten().min();
        assert_eq!(new.priority, raised, "seed {seed}, ticket {}", row.id);
        assert_eq!(in_force, earlier, "seed {seed}, ticket {}: {:?} was promised", row.id, promised);
    }
}

#[tokio::test]
async fn what_is_said_of_a_ticket_is_what_a_run_does() {
    const FEW: usize = 50;
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let noon: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().expect("an instant");
    let clinic = help_desk(&mut rng, noon, FEW, 90).await;
    random_rules(&mut rng, &clinic, 8).await;
    clinic.sql("UPDATE escalation_rules SET cooldown_hours = 1.5 WHERE n(id) % 2 = 0").await;
    clinic.run(&["escalate-tickets", "--as-of", &noon.to_rfc3339()]).await.expect(0);
    clinic.sql("BEGIN").await;
    for ticket in 1..=FEW as i64 {
        if rng.bool() {
            change(&mut rng, &clinic, noon, ticket).await;
        }
    }
    clinic.sql("COMMIT").await;
    let rows = (1..=FEW as i64).collect();
    let explained = Explained { clinic: &clinic, args: &["escalate-tickets"], rows };
    explained.agree(&mut rng, noon + Duration::minutes(30), &format!("seed {seed}")).await;
}
