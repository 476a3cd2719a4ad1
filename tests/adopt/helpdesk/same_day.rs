//! One day on the reference tables and on the application's tables: the jobs decide the same.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use super::helpdesk;
use crate::jobs::properties::{pick, seed};
use crate::support::Clinic;

const TICKETS: i64 = 100;
const NOON: &str = "2026-03-02T12:00:00Z";
/// The staff, and user 6, who is the customer.
const USERS: i64 = 9;

/// How each side stores the day: one statement after the other reads the JSON document `day.doc`.
const REFERENCE: &str = include_str!("same_day_reference.sql");
const APPLICATION: &str = include_str!("same_day_application.sql");

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A whole number of quarters of an hour before or after noon, exactly or by a millisecond.
fn about_noon(rng: &mut Rng, quarters: std::ops::Range<i64>) -> String {
    let noon: DateTime<Utc> = NOON.parse().expect("an instant");
    instant(noon + TimeDelta::minutes(15 * rng.i64(quarters)) + TimeDelta::milliseconds(rng.i64(-1..=1)))
}

fn maybe<T>(rng: &mut Rng, of: u8, some: impl FnOnce(&mut Rng) -> T) -> Option<T> {
    (rng.u8(..of) == 0).then(|| some(rng))
}

fn ticket(rng: &mut Rng, number: i64) -> Value {
    let odd = ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "10000-01-01 00:00:00+00"];
    let created = maybe(rng, 20, |rng| pick(rng, &odd).to_owned()).unwrap_or_else(|| about_noon(rng, -60..0));
    let due =
        |rng: &mut Rng| maybe(rng, 12, |rng| pick(rng, &odd).to_owned()).unwrap_or_else(|| about_noon(rng, -16..16));
    let comment = |rng: &mut Rng| {
        let author = if rng.bool() { 6 } else { rng.i64(1..=USERS) };
        json!({"ticket": number, "author": author, "internal": rng.bool(), "at": about_noon(rng, -30..0)})
    };
    json!({
        "n": number,
        "status": pick(rng, &["OPEN", "OPEN", "IN_PROGRESS", "WAITING_FOR_CUSTOMER", "RESOLVED", "CLOSED"]),
        "priority": pick(rng, &["LOW", "MEDIUM", "HIGH", "URGENT"]),
        "customer": maybe(rng, 2, |_| 6),
        "assignee": rng.i64(1..=USERS),
        "creator": rng.i64(1..=USERS),
        "team": maybe(rng, 2, |rng| rng.i64(1..=4)),
        "due": maybe(rng, 2, due),
        "custom": maybe(rng, 5, due),
        "rating": maybe(rng, 2, |rng| pick(rng, &[-2_147_483_648, 0, 1, 2, 3, 4, 5, 99])),
        "created": created,
        "changes": (0..rng.u8(..3)).map(|_| about_noon(rng, -30..0)).collect::<Vec<_>>(),
        "comments": (0..rng.u8(..3)).map(|_| comment(rng)).collect::<Vec<_>>(),
        "followers": (1..=USERS).filter(|_| rng.u8(..9) == 0).collect::<Vec<_>>(),
    })
}

/// A condition: as the application stores it, and as rounds does.
type Condition = (&'static str, Value, Value);

fn conditions() -> Vec<Condition> {
    let alike = |kind, condition: Value| (kind, condition.clone(), condition);
    let mut all = vec![
        ("sla_breach", json!({"thresholdHours": 2.5}), json!({"thresholdHours": -2.5})),
        ("sla_breach", json!({"thresholdHours": 0}), json!({"thresholdHours": 0})),
        ("sla_breach", json!({"thresholdHours": -1}), json!({"thresholdHours": 1})),
        alike("sla_breach", json!({"thresholdHours": "2"})),
        alike("sla_breach", json!([2])),
        (
            "time_in_status",
            json!({"status": "WAITING_FOR_CUSTOMER", "hours": 1}),
            json!({"status": "WAITING", "hours": 1}),
        ),
        alike("time_in_status", json!({"status": "OPEN", "hours": 2.25})),
        alike("time_in_status", json!({"status": "CLOSED", "hours": 1})),
        alike("priority_level", json!({"priorities": ["HIGH", "URGENT"]})),
        alike("priority_level", json!({"priorities": ["HIGHEST"]})),
        alike("no_response", json!({"hours": 3})),
        alike("no_response", json!({"hours": -3})),
        alike("customer_rating", json!({"rating": 3, "operator": "is"})),
        alike("customer_rating", json!("less_than")),
        alike("weather", json!({})),
    ];
    let operators = [
        ("less_than", "<"),
        ("less_than_or_equal", "<="),
        ("equal", "="),
        ("greater_than_or_equal", ">="),
        ("greater_than", ">"),
    ];
    all.extend(operators.map(|(theirs, ours)| {
        let condition = |operator| json!({"rating": 3, "operator": operator});
        ("customer_rating", condition(theirs), condition(ours))
    }));
    all
}

/// The actions, with `K` before the number of a key, and `@` before that of a user whose address is meant.
fn actions() -> Vec<(&'static str, Value)> {
    let email = |recipients: Value| json!({"recipients": recipients, "subject": "s", "message": "m"});
    vec![
        ("notify_manager", json!({"message": "look"})),
        ("reassign_ticket", json!({"teamId": "K2", "userId": "K5"})),
        ("reassign_ticket", json!({"userId": "K3"})),
        ("reassign_ticket", json!({"teamId": "K1"})),
        ("reassign_ticket", json!({"userId": "K4711"})),
        ("increase_priority", json!({})),
        ("add_follower", json!({"userIds": ["K1", "K7"]})),
        ("add_follower", json!({"userIds": ["K1", "K4"]})),
        ("send_email", email(json!(["@1", "boss@example.org", "@3"]))),
        // A user who is inactive, and one who is not there: neither has an address.
        ("send_email", email(json!(["@1", "@4"]))),
        ("send_email", email(json!(["@4711"]))),
        ("send_email", email(json!([]))),
        ("send_email", email(json!("@1"))),
        ("dance", json!({})),
    ]
}

/// With the keys of a side: of the application, where a user's address is its id, or of the reference tables.
fn action(stored: &Value, application: bool) -> Value {
    let key = |number: &str| if application { format!("k{number:0>8}") } else { number.to_owned() };
    let word = |text: &str| match (text.split_at(1.min(text.len())), application) {
        (("K", number), _) | (("@", number @ ("4" | "4711")), _) | (("@", number), true) => key(number),
        (("@", number), false) => format!("u{number}@example.org"),
        _ => text.to_owned(),
    };
    match stored {
        Value::String(text) => json!(word(text)),
        Value::Array(values) => values.iter().map(|value| action(value, application)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), action(value, application))).collect())
        }
        other => other.clone(),
    }
}

/// Every condition with a harmless action, every action with a condition that many tickets meet, and some of both.
fn rules(rng: &mut Rng) -> Vec<Value> {
    let (conditions, actions) = (conditions(), actions());
    let follow = ("add_follower", json!({"userIds": ["K1"]}));
    let often = ("no_response", json!({"hours": 1}), json!({"hours": 1}));
    let mut pairs: Vec<_> = conditions.iter().map(|condition| (condition.clone(), follow.clone())).collect();
    pairs.extend(actions.iter().map(|action| (often.clone(), action.clone())));
    pairs.extend(
        (0..12)
            .map(|_| (conditions[rng.usize(..conditions.len())].clone(), actions[rng.usize(..actions.len())].clone())),
    );
    rng.shuffle(&mut pairs);
    let rule = |(index, ((kind, theirs, ours), (what, stored))): (usize, (Condition, (&str, Value)))| {
        json!({"n": index + 1, "active": index % 20 != 19, "condition_type": kind, "theirs": theirs, "ours": ours,
               "action_type": what, "their_action": action(&stored, true), "our_action": action(&stored, false)})
    };
    pairs.into_iter().enumerate().map(rule).collect()
}

fn day(rng: &mut Rng) -> Value {
    let user = |n: i64, role: &str, ours: &str, team: Option<i64>| {
        let (active, deleted) = (n != 4, n == 5);
        json!({"n": n, "role": role, "ours": ours, "team": team, "active": active, "deleted": deleted})
    };
    json!({
        // Leaders: 2 of two teams and a member of none, 4 who is inactive, 9 who is a member too. Team 4 has none.
        "users": [
            user(1, "Admin/Manager", "HOSPITAL_ADMIN", None), user(2, "Team Leader", "AGENT", None),
            user(3, "User/Employee", "AGENT", Some(1)), user(4, "Team Leader", "AGENT", Some(3)),
            user(5, "User/Employee", "AGENT", Some(2)), user(6, "", "AGENT", None),
            user(7, "User/Employee", "AGENT", Some(4)), user(8, "Auditor", "AGENT", Some(2)),
            user(9, "Admin/Manager", "HOSPITAL_ADMIN", Some(5)),
        ],
        "leaders": [[1, 2], [2, 2], [3, 4], [5, 9]],
        "preferences": [
            {"n": 2, "email": true, "app": true, "breach": true},
            {"n": 3, "email": true, "app": false, "breach": true},
            {"n": 7, "email": true, "app": true, "breach": false},
            {"n": 9, "email": false, "app": true, "breach": true},
        ],
        // The newest active one counts. More hours than there are in ten years are none.
        "policies": [
            {"priority": "MEDIUM", "hours": 8, "active": true}, {"priority": "MEDIUM", "hours": 6, "active": true},
            {"priority": "HIGH", "hours": 4, "active": true}, {"priority": "HIGH", "hours": 1, "active": false},
            {"priority": "URGENT", "hours": 2_147_483_647, "active": true},
        ],
        "tickets": (1..=TICKETS).map(|n| ticket(rng, n)).collect::<Vec<_>>(),
        "rules": rules(rng),
    })
}

async fn fill(clinic: &Clinic, day: &Value, statements: &str) {
    clinic.sql("CREATE TEMP TABLE day (doc jsonb)").await;
    clinic.client.execute("INSERT INTO day VALUES ($1)", &[day]).await.expect("a document");
    clinic.sql(statements).await;
}

/// A text with numbers in the place of the application's keys.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('k') {
        let (before, after) = rest.split_at(at);
        let digits = after.get(1..9).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        out += before;
        match digits {
            Some(digits) => out += &digits.parse::<i64>().expect("digits").to_string(),
            None => out.push('k'),
        }
        rest = &after[if digits.is_some() { 9 } else { 1 }..];
    }
    out + rest
}

/// Who is in which team, and all that jobs decide, by numbers.
async fn decisions(clinic: &Clinic) -> Vec<String> {
    let query = "
        SELECT concat_ws(' ', 'ticket', n(id), priority, n(assignee_id), n(team_id), sla_due_at::timestamptz,
                         updated_at > '2026-03-02') FROM tickets
        UNION ALL SELECT concat_ws(' ', 'member', n(team_id), n(user_id), is_leader) FROM team_members
        UNION ALL SELECT concat_ws(' ', 'history', ticket_id, action, actor, details, created_at)
                  FROM rounds.ticket_history
        UNION ALL SELECT concat_ws(' ', 'episode', rule_id, ticket_id, fired_at) FROM escalation_episodes
        UNION ALL SELECT concat_ws(' ', 'follower', n(ticket_id), n(user_id)) FROM ticket_followers
        UNION ALL SELECT concat_ws(' ', 'notice', recipient_kind, recipient_id, address, channel, type, priority, title,
                                   body, metadata, entity, entity_id, status, created_at) FROM rounds.notifications
        UNION ALL SELECT concat_ws(' ', 'error', entity, entity_id, error_code, count(*)) FROM cron_job_run_errors
                  GROUP BY entity, entity_id, error_code";
    let mut all: Vec<String> = clinic.rows(query).await.iter().map(|row| plain(row.get(0))).collect();
    all.sort();
    all
}

/// A report with numbers for keys, without what differs from run to run.
fn report(report: &Value) -> Value {
    let mut report: Value = serde_json::from_str(&plain(&report.to_string())).expect("JSON");
    let fields = report.as_object_mut().expect("a report");
    fields.retain(|key, _| !["run_id", "duration_ms"].contains(&key.as_str()));
    report
}

#[tokio::test]
async fn the_jobs_decide_the_same_on_both() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let day = day(&mut rng);
    let sides = [Clinic::new().await, helpdesk().await];
    for (side, statements) in sides.iter().zip([REFERENCE, APPLICATION]) {
        fill(side, &day, statements).await;
    }
    let [reference, application] = &sides;
    let at = ["11:59:59.999", "12:00:00", "12:00:00.001", "13:30:00"];
    let runs = at.iter().flat_map(|at| [("monitor-ticket-sla", at), ("escalate-tickets", at)]);
    let mut done = 0;
    for (job, at) in runs {
        let as_of = format!("2026-03-02T{at}Z");
        // A dry run says and changes nothing else on the one than on the other: once is enough.
        let ways: &[&[&str]] = if *at == "12:00:00" { &[&["--dry-run"], &[]] } else { &[&[]] };
        for more in ways {
            let args = [&[job, "--as-of", &as_of, "--batch-rows", "50"][..], more].concat();
            let (ours, theirs) = tokio::join!(reference.run(&args), application.run(&args));
            assert_eq!(ours.code, 3, "seed {seed} {ours:?}");
            assert_eq!(report(&ours.report()), report(&theirs.report()), "seed {seed} {job} {at} {more:?}");
            done += ours.report()["executed"].as_u64().or(ours.report()["recorded"].as_u64()).expect("a count");
            let (ours, theirs) = (decisions(reference).await, decisions(application).await);
            let only = |here: &[String], there: &[String]| {
                here.iter().filter(|line| !there.contains(line)).take(5).cloned().collect::<Vec<_>>()
            };
            let differ = (only(&ours, &theirs), only(&theirs, &ours));
            assert!(ours == theirs, "seed {seed} {job} {at} {more:?}: {differ:#?}");
        }
    }
    let check = async |side: &Clinic| report(&side.run(&["escalation-rules", "check"]).await.expect(3).report());
    assert_eq!(check(reference).await, check(application).await, "seed {seed}");
    assert!(done > 500, "seed {seed}: only {done} decisions");
}
