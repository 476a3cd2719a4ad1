//! The rule in SQL against the same rule in Rust: random cases with random pasts, carried on by stages, by hand and by force,
//! at instants and with dwells of which many meet to the microsecond. The seed is printed where they differ.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use serde_json::{Value, json};

use super::super::owed;
use super::STATUSES;
use crate::jobs::explained::Explained;
use crate::jobs::properties::worlds;
use crate::support::Clinic;

const CASES: i64 = 40;
const RUNS: usize = 9;
const FIELDS: [&str; 13] = [
    "billable_ts",
    "docs_needed_ts",
    "submitted_ts",
    "pending_payment_ts",
    "paid_to_provider_ts",
    "sent_to_biller_ts",
    "received_payment_ts",
    "negotiation_ts",
    "settled_ts",
    "sent_to_idr_ts",
    "idr_decision_ts",
    "rejected_ts",
    "closed_ts",
];
/// What dwells can be said, and how long they are in microseconds.
const DWELLS: [(&str, i64); 5] = [("0s", 0), ("1us", 1), ("90m", 5_400_000_000), ("24h", DAY), ("3d", 3 * DAY)];
const DAY: i64 = 86_400_000_000;
/// The facility of each actor, whose ids are 1, 2, 3: two of billing, and an admin of the group, who may force nothing.
const ACTORS: [Option<i64>; 3] = [Some(1), Some(2), None];

#[derive(Debug, PartialEq)]
struct Case {
    facility: i64,
    status: i32,
    active: bool,
    cents: Option<i64>,
    stamps: Vec<Option<DateTime<Utc>>>,
    updated: DateTime<Utc>,
}

#[derive(Debug, PartialEq, PartialOrd)]
struct Step {
    case: i64,
    at: DateTime<Utc>,
    from: i32,
    to: i32,
    actor: String,
    by_job: bool,
    forced: bool,
}

/// All cases, case n at n - 1, and all steps in the order of cases and instants.
#[derive(Debug, PartialEq)]
struct World {
    cases: Vec<Case>,
    steps: Vec<Step>,
}

/// What a run is told.
struct Orders {
    now: DateTime<Utc>,
    dwell: Option<i64>,
    actor: Option<usize>,
    force: bool,
}

impl Orders {
    fn args(&self, rng: &mut Rng) -> Vec<String> {
        let batch = [1, 7, 1000][rng.usize(..3)].to_string();
        let mut args =
            vec!["advance-billing".into(), "--as-of".into(), self.now.to_rfc3339(), "--batch-rows".into(), batch];
        args.extend(["--confirm-items", "1000"].map(String::from));
        let dwell = self.dwell.map(|dwell| DWELLS.iter().find(|(_, micros)| *micros == dwell).expect("one of them").0);
        args.extend(dwell.into_iter().flat_map(|dwell| ["--min-dwell".into(), dwell.into()]));
        args.extend(self.actor.into_iter().flat_map(|actor| ["--actor".into(), (actor + 1).to_string()]));
        args.extend(self.force.then(|| "--force".into()));
        args
    }
}

impl Orders {
    /// Is the case of the actor's facility, if there is an actor of one?
    fn may_move(&self, case: &Case) -> bool {
        self.actor.and_then(|actor| ACTORS[actor]).is_none_or(|own| own == case.facility)
    }
}

fn pick<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

/// So long before an instant that a dwell is just over, exactly, or just not; or some time in four days.
fn before(rng: &mut Rng, instant: DateTime<Utc>) -> DateTime<Utc> {
    let dwell = DWELLS[rng.usize(..5)].1;
    let micros = if rng.u8(..3) > 0 { dwell + rng.i64(-1..=1) } else { rng.i64(0..4 * DAY) };
    instant - TimeDelta::microseconds(micros.max(0))
}

/// A step that somebody made: what the table does not take is not made.
fn random_step(rng: &mut Rng, case: i64, to: i32, at: DateTime<Utc>) -> Step {
    let (from, by_job) = (pick(rng, &STATUSES), rng.u8(..3) > 0);
    Step { case, at, from, to, actor: "1".into(), by_job, forced: by_job && to <= from }
}

impl World {
    fn random(rng: &mut Rng, now: DateTime<Utc>) -> Self {
        let (mut cases, mut steps) = (vec![], vec![]);
        for case in 1..=CASES {
            let status = if rng.u8(..4) > 0 { pick(rng, &[10, 15]) } else { pick(rng, &STATUSES) };
            let stamps = STATUSES.map(|_| rng.bool().then(|| before(rng, now))).to_vec();
            let cents = (rng.u8(..6) > 0).then(|| rng.i64(0..1_000_000_000_000));
            let (facility, active) = (rng.i64(1..=2), rng.u8(..8) > 0);
            cases.push(Case { facility, status, active, cents, stamps, updated: before(rng, now) });
            for _ in 0..rng.u8(..4) {
                let to = if rng.bool() { status } else { pick(rng, &[10, 15, 20]) };
                let at = before(rng, now);
                steps.push(random_step(rng, case, to, at));
            }
        }
        Self { cases, steps }
    }

    fn case(&self, case: i64) -> Option<&Case> {
        self.cases.get(usize::try_from(case - 1).ok()?)
    }

    /// Has the job itself brought the case to where it is too short a while ago?
    fn is_young(&self, case: i64, from: i32, orders: &Orders) -> bool {
        let default = if from == 15 { DAY } else { 0 };
        let dwell = TimeDelta::microseconds(orders.dwell.unwrap_or(default));
        let own = self.steps.iter().filter(|step| step.case == case && step.to == from && step.by_job);
        own.map(|step| step.at).max().is_some_and(|at| orders.now < at + dwell)
    }

    /// Why a case that was asked for stays as it is: any of these words; none: it moves.
    fn obstacles(&self, case: i64, to: i32, orders: &Orders) -> &'static [&'static str] {
        let Some(found) = self.case(case) else { return &["not found or inactive"] };
        if !orders.may_move(found) {
            return &["facility"];
        }
        if !found.active {
            return &["not found or inactive"];
        }
        match (found.status, to) {
            (from, to) if from == to => &["already at target value"],
            _ if orders.force => &[],
            (from, to) if to < from => &["cannot update to lower status without --force"],
            (10, 15) | (15, 20) => {
                if self.is_young(case, found.status, orders) {
                    &["dwell"]
                } else {
                    &[]
                }
            }
            _ => &["no transition"],
        }
    }

    /// The case moves; what it is worth.
    fn advance(&mut self, case: i64, to: i32, orders: &Orders) -> i64 {
        let found = &mut self.cases[case as usize - 1];
        let actor = orders.actor.map_or("system".into(), |actor| (actor + 1).to_string());
        let (from, forced, at) = (found.status, orders.force, orders.now);
        found.status = to;
        found.updated = at;
        found.stamps[STATUSES.iter().position(|status| *status == to).expect("a status")] = Some(at);
        self.steps.push(Step { case, at, from, to, actor, by_job: true, forced });
        found.cents.unwrap_or(0)
    }

    /// What a person does between two runs.
    async fn edit(&mut self, rng: &mut Rng, clinic: &Clinic, now: DateTime<Utc>) {
        for case in 1..=CASES {
            if rng.u8(..5) > 0 {
                continue;
            }
            let found = &mut self.cases[case as usize - 1];
            found.status = pick(rng, &[10, 10, 15, 15, 20, 7, 400]);
            found.active = rng.u8(..8) > 0;
            found.cents = rng.bool().then(|| rng.i64(0..100_000));
            let update = "UPDATE surgical_cases SET case_status = $2, active = $3, pay_amount = $4::bigint / 100.0
                          WHERE id = $1";
            let values = (found.status, found.active, found.cents);
            clinic.client.execute(update, &[&case, &values.0, &values.1, &values.2]).await.expect("can be changed");
            let at = before(rng, now);
            let step = Step { by_job: false, forced: false, ..random_step(rng, case, values.0, at) };
            record(clinic, &step).await;
            self.steps.push(step);
        }
    }

    async fn build(&self) -> Clinic {
        let clinic = Clinic::new().await;
        for _ in 0..2 {
            clinic.facility("America/New_York", None).await;
        }
        for facility in ACTORS {
            let role = if facility.is_some() { "BILLING" } else { "HOSPITAL_ADMIN" };
            let insert = &format!("INSERT INTO users (facility_id, name, role) VALUES ($1, 'U', '{role}')");
            clinic.client.execute(insert, &[&facility]).await.expect("can be inserted");
        }
        let patient = clinic.patient().await;
        clinic.sql("BEGIN").await;
        let insert = format!(
            "INSERT INTO surgical_cases (facility_id, patient_id, case_status, active, pay_amount, updated_ts, {})
             SELECT $1, $2, $3, $4, $5::bigint / 100.0, $6, {}",
            FIELDS.join(", "),
            (1..=13).map(|n| format!("($7::timestamptz[])[{n}]")).collect::<Vec<_>>().join(", ")
        );
        for case in &self.cases {
            let Case { facility, status, active, cents, stamps, updated } = case;
            let values: [&(dyn tokio_postgres::types::ToSql + Sync); 7] =
                [facility, &patient, status, active, cents, updated, stamps];
            clinic.client.execute(&insert, &values).await.expect("can be inserted");
        }
        for step in &self.steps {
            record(&clinic, step).await;
        }
        clinic.sql("COMMIT").await;
        clinic
    }

    /// What is in the database.
    async fn of(clinic: &Clinic) -> Self {
        let query = format!(
            "SELECT facility_id, case_status, active, (pay_amount * 100)::bigint, ARRAY[{}], updated_ts
             FROM surgical_cases ORDER BY id",
            FIELDS.join(", ")
        );
        let case = |row: &tokio_postgres::Row| Case {
            facility: row.get(0),
            status: row.get(1),
            active: row.get(2),
            cents: row.get(3),
            stamps: row.get(4),
            updated: row.get(5),
        };
        let step = |row: &tokio_postgres::Row| Step {
            case: row.get(0),
            at: row.get(1),
            from: row.get(2),
            to: row.get(3),
            actor: row.get(4),
            by_job: row.get(5),
            forced: row.get(6),
        };
        let steps = "SELECT n(case_id), created_at, from_status, to_status, actor, run_id IS NOT NULL, forced
                     FROM surgical_case_status_history";
        let cases = clinic.rows(&query).await.iter().map(case).collect();
        let mut world = Self { cases, steps: clinic.rows(steps).await.iter().map(step).collect() };
        world.sort();
        world
    }

    fn sort(&mut self) {
        self.steps.sort_by(|one, other| one.partial_cmp(other).expect("all can be compared"));
    }
}

async fn record(clinic: &Clinic, step: &Step) {
    let insert =
        "INSERT INTO surgical_case_status_history (case_id, created_at, from_status, to_status, actor, run_id, forced)
                  VALUES (k($1)::text, $2, $3, $4, $5, CASE WHEN $6 THEN gen_random_uuid() END, $7)";
    let Step { case, at, from, to, actor, by_job, forced } = step;
    clinic.client.execute(insert, &[case, at, from, to, actor, by_job, forced]).await.expect("can be inserted");
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// One test's worlds, and how often what became of a case.
struct Game {
    rng: Rng,
    clinic: Clinic,
    world: World,
    seen: BTreeMap<&'static str, u64>,
}

impl Game {
    async fn run(&mut self, orders: &Orders, more: &[String]) -> Value {
        let args = [&orders.args(&mut self.rng)[..], more].concat();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let outcome = super::ended(self.clinic.run(&args).await);
        owed::balanced(&outcome, "advanced");
        outcome.report()
    }

    /// Fails unless a report has these counts, and this money.
    fn counted(report: &Value, moved: usize, stayed: usize, cents: i64) {
        let metrics = &report["metrics"];
        let expected = json!({"found": moved + stayed, "updated": moved, "excepted": stayed, "money_moved": money(cents),
                              "duration_ms": metrics["duration_ms"]});
        assert_eq!(*metrics, expected);
        let not_done = [&report["skipped"], &report["failed"]].map(|count| count.as_u64().expect("a count"));
        assert_eq!((&report["advanced"], not_done.iter().sum()), (&json!(moved), stayed as u64), "{report}");
    }

    async fn stage(&mut self, orders: &Orders) {
        let (stage, from, to) = pick(&mut self.rng, &[("pending-payment", 10, 15), ("paid", 15, 20)]);
        let found: Vec<i64> = (1..=CASES)
            .filter(|case| {
                self.world
                    .case(*case)
                    .is_some_and(|found| found.active && found.status == from && orders.may_move(found))
            })
            .collect();
        let (young, due): (Vec<i64>, Vec<i64>) =
            found.iter().partition(|case| self.world.is_young(**case, from, orders));
        let report = self.run(orders, &["--stage".into(), stage.into()]).await;
        let cents = due.iter().map(|case| self.world.advance(*case, to, orders)).sum();
        Self::counted(&report, due.len(), young.len(), cents);
        let dwell = if young.is_empty() { Value::Null } else { json!({"dwell": young.len()}) };
        assert_eq!(report["skipped_by_reason"], dwell);
        *self.seen.entry(stage).or_default() += due.len() as u64;
        *self.seen.entry("held back").or_default() += young.len() as u64;
    }

    async fn by_hand(&mut self, orders: &Orders) {
        let to = if orders.force {
            pick(&mut self.rng, &STATUSES)
        } else {
            pick(&mut self.rng, &[15, 20, 20, 20, 20, 7, 500])
        };
        let asked: Vec<i64> = (0..30).map(|_| self.rng.i64(1..=CASES + 3)).collect();
        let ids = asked.iter().map(i64::to_string);
        let args: Vec<String> = ["--to".into(), to.to_string(), "--case".into()].into_iter().chain(ids).collect();
        let report = self.run(orders, &args).await;
        let (mut once, mut moved, mut stayed, mut cents) = (BTreeSet::new(), vec![], vec![], 0);
        let field = FIELDS[STATUSES.iter().position(|status| *status == to).expect("a status")];
        for case in asked.into_iter().filter(|case| once.insert(*case)) {
            let current = self.world.case(case).filter(|found| orders.may_move(found)).map(|found| found.status);
            let obstacles = self.world.obstacles(case, to, orders);
            *self.seen.entry(obstacles.last().unwrap_or(&"by hand")).or_default() += 1;
            if obstacles.is_empty() {
                cents += self.world.advance(case, to, orders);
                moved.push(
                    json!({"case_id": case.to_string(), "previous_status": current, "new_status": to, "forced": orders.force,
                                  "timestamp_field": field}),
                );
            } else {
                let reason = report["exceptions"][stayed.len()]["reason"].as_str().unwrap_or("none").to_owned();
                assert!(obstacles.iter().any(|word| reason.contains(word)), "case {case}: {reason}: {obstacles:?}");
                stayed.push(
                    json!({"case_id": case.to_string(), "reason": reason, "current_status": current, "attempted_status": to}),
                );
            }
        }
        assert_eq!((&report["updated"], &report["exceptions"]), (&json!(moved), &json!(stayed)));
        Self::counted(&report, moved.len(), stayed.len(), cents);
    }
}

#[tokio::test]
async fn stages_hands_and_force_do_what_the_oracle_says() {
    // In fewer not everything happens.
    let worlds = worlds().max(6);
    let mut seen = BTreeMap::new();
    for seed in 1..=worlds {
        println!("seed {seed}");
        let mut rng = Rng::with_seed(seed);
        let start: DateTime<Utc> = "2026-02-28T23:59:59.999999Z".parse().expect("an instant");
        let mut now = start + TimeDelta::microseconds(rng.i64(0..DAY));
        let world = World::random(&mut rng, now);
        let mut game = Game { clinic: world.build().await, rng, world, seen };
        for run in 1..=RUNS {
            println!("run {run} as of {now}");
            let dwell = game.rng.bool().then(|| pick(&mut game.rng, &DWELLS).1);
            let force = game.rng.u8(..5) == 0;
            let actor = (force || game.rng.u8(..4) == 0).then(|| game.rng.usize(..if force { 2 } else { 3 }));
            let orders = Orders { now, dwell, actor, force };
            if force || game.rng.bool() {
                game.by_hand(&orders).await
            } else {
                game.stage(&orders).await
            }
            game.world.sort();
            assert_eq!(World::of(&game.clinic).await, game.world);
            now += TimeDelta::microseconds(pick(&mut game.rng, &[0, 1, 5_400_000_000, DAY - 1, DAY, 3 * DAY]));
            game.world.edit(&mut game.rng, &game.clinic, now).await;
        }
        seen = game.seen;
    }
    println!("{seen:?}");
    assert_eq!(seen.len(), 10, "the worlds are no test: {seen:?}");
    assert!(seen.values().all(|times| *times >= worlds), "the worlds are no test: {seen:?}");
}

#[tokio::test]
async fn what_is_said_of_a_case_is_what_a_run_does() {
    for seed in 1..=worlds().min(4) {
        let mut rng = Rng::with_seed(seed);
        let start: DateTime<Utc> = "2026-02-28T23:59:59.999999Z".parse().expect("an instant");
        let now = start + TimeDelta::microseconds(rng.i64(0..DAY));
        let clinic = World::random(&mut rng, now).build().await;
        let (stage, dwell) = (pick(&mut rng, &["pending-payment", "paid"]), pick(&mut rng, &DWELLS).0);
        let args = ["advance-billing", "--stage", stage, "--min-dwell", dwell];
        let explained = Explained { clinic: &clinic, args: &args, rows: (1..=CASES).collect() };
        explained.agree(&mut rng, now, &format!("seed {seed}, {args:?}")).await;
    }
}
