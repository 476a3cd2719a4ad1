//! The rule in SQL against the same rule in Rust, on random cases.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;

use crate::jobs::explained::Explained;
use crate::jobs::owed;
use crate::jobs::properties::{around, hire_managers, managers, pick, seed, some, stand_ins};
use crate::support::Clinic;

const CASES: i64 = 1000;

/// Instants in winter, in summer, and at the change of a year.
const INSTANTS: [&str; 4] =
    ["2026-03-02T12:00:00Z", "2026-07-31T23:59:59.999999Z", "2027-01-01T00:00:00Z", "2026-11-01T06:20:00.5Z"];

fn instants(rng: &mut Rng) -> Vec<DateTime<Utc>> {
    some(rng, INSTANTS).map(|text| text.parse().expect("an instant")).collect()
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
    /// Taken up again within the grace.
    TakenUp,
    Raised(Option<i64>),
}

/// The options of a run.
struct Rule {
    again: Option<TimeDelta>,
    grace: Option<TimeDelta>,
    /// The facility.
    only: Option<i64>,
}

impl Case {
    fn fate(&self, now: DateTime<Utc>, rule: &Rule, fallbacks: &[(i64, i64)]) -> Fate {
        let Rule { again, grace, only } = *rule;
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
        let within = |(grace, escalated)| escalated > now - grace && escalated <= now;
        if self.status == "IN_PROGRESS" && self.level > 0 && grace.zip(self.escalated).is_some_and(within) {
            return Fate::TakenUp;
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
    hire_managers(rng, &clinic, 4).await;
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
    for now in instants(&mut rng) {
        let hours = rng.i64(1..50);
        let clinic = random_cases(&mut rng, now, TimeDelta::hours(hours)).await;
        let cases = cases(&clinic).await;
        let again = (rng.u8(..4) > 0).then(|| TimeDelta::hours(hours));
        let only = (rng.u8(..4) == 0).then(|| rng.i64(1..=4));
        let grace = (rng.u8(..4) > 0).then(|| TimeDelta::hours(hours));
        let rule = Rule { again, grace, only };
        let mut fallbacks = vec![];
        for facility in 1..=4 {
            if rng.bool() {
                fallbacks.push((facility * 3 - rng.i64(0..3), facility));
            }
        }
        let mut args =
            vec!["escalate-sla".to_owned(), format!("--as-of={}", now.to_rfc3339()), "--batch-rows=100".into()];
        args.extend(again.map(|_| format!("--re-escalate-after={hours}h")));
        args.extend(grace.map(|_| format!("--take-up-grace={hours}h")));
        args.extend(only.map(|only| format!("--facility={only}")));
        args.extend(fallbacks.iter().map(|(id, _)| format!("--fallback-department={id}")));
        let outcome = owed::ended(clinic.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await);

        let fates = cases.iter().map(|case| (case.id, case.fate(now, &rule, &fallbacks)));
        let fates: BTreeMap<i64, Fate> = fates.collect();
        let mut expected: BTreeMap<i64, (i32, Option<i64>)> = BTreeMap::new();
        for case in &cases {
            if let Fate::Raised(told) = fates[&case.id] {
                expected.insert(case.id, (case.level + 1, told));
            }
        }
        let found = "SELECT c.id, (a.after->>'escalationLevel')::int, n(n.recipient_id)
                     FROM px_cases c JOIN px_case_audits a ON a.case_id = c.id::text AND c.status = 'ESCALATED'
                     AND (a.after->>'escalationLevel')::int = c.escalation_level
                     LEFT JOIN notifications n ON n.entity_id = c.id::text AND n.recipient_kind = 'DEPARTMENT'";
        let found = clinic.rows(found).await;
        let found: BTreeMap<i64, _> = found.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect();
        let what = format!("seed {seed}, {args:?}");
        assert!(expected.len() > 20, "the rows are no test: {}, {what}", expected.len());
        assert_eq!(found, expected, "{what}");
        let left_alone = fates.values().filter(|fate| matches!(fate, Fate::AtTheTop | Fate::TakenUp)).count();
        // One facility has few of them.
        let is_one = args.iter().any(|arg| arg.starts_with("--facility"));
        assert!(
            grace.is_none() || is_one || fates.values().any(|fate| *fate == Fate::TakenUp),
            "the rows are no test: {what}"
        );
        let managers = managers(&clinic).await;
        let mut users: BTreeSet<(i64, i64)> = BTreeSet::new();
        let (mut departments, mut alone) = (0, 0);
        for case in cases.iter().filter(|case| expected.contains_key(&case.id)) {
            let told = stand_ins(&managers, Some(case.facility));
            match expected[&case.id].1 {
                Some(_) => departments += 1,
                None if told.is_empty() => alone += 1,
                None => users.extend(told.iter().map(|user| (case.id, *user))),
            }
        }
        let told = "SELECT n(entity_id), n(recipient_id) FROM notifications WHERE recipient_kind = 'USER'";
        let told = clinic.rows(told).await;
        assert_eq!(told.iter().map(|row| (row.get(0), row.get(1))).collect::<BTreeSet<_>>(), users, "{what}");
        let notices = departments + users.len();
        let counts = [expected.len() + left_alone, expected.len(), left_alone, alone, notices];
        let keys = ["scanned", "escalated", "skipped", "undeliverable", "notifications"];
        assert_eq!(keys.map(|key| outcome.count(key)), counts.map(|count| count as u64), "{what}");
        let undeliverable = "SELECT count(*) FROM cron_job_run_errors WHERE error_code = 'UNDELIVERABLE'";
        assert_eq!(clinic.count(undeliverable).await, alone as i64, "{what}");
        let rows = "SELECT count(*) FROM px_case_audits UNION ALL SELECT count(*) FROM notifications";
        let rows: Vec<i64> = clinic.rows(rows).await.iter().map(|row| row.get(0)).collect();
        assert_eq!(rows, [expected.len() as i64, notices as i64], "{what}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_case_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for now in instants(&mut rng) {
        let hours = rng.i64(1..50);
        let clinic = random_cases(&mut rng, now, TimeDelta::hours(hours)).await;
        clinic.sql("UPDATE px_cases SET status = 'CLOSED' WHERE id > 250").await;
        let rows = cases(&clinic).await.iter().map(|case| case.id).collect();
        let [again, only] = [format!("--re-escalate-after={hours}h"), format!("--facility={}", rng.i64(1..=4))];
        let mut args = vec!["escalate-sla"];
        args.extend((rng.u8(..4) > 0).then_some(&again[..]));
        args.extend((rng.u8(..4) == 0).then_some(&only[..]));
        args.extend(rng.bool().then_some("--take-up-grace=4h"));
        let explained = Explained { clinic: &clinic, args: &args, rows };
        explained.agree(&mut rng, now, &format!("seed {seed}, {args:?}")).await;
    }
}
