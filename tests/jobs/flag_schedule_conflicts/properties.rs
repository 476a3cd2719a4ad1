//! The rule in SQL against the same rule in Rust, on random visits and on hours that change from run to run.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, NaiveTime, Utc};
use fastrand::Rng;

use crate::jobs::explained::Explained;
use crate::jobs::properties::{Absence, Row, instants, pick, random_absences, random_clinic, rows, seed};
use crate::support::Clinic;

/// So that lists are short.
const FEWER: &str = "UPDATE appointments SET status = 'COMPLETED' WHERE n(id) > 250 AND cancelled_at IS NULL";
const DOCTORS: i64 = 24;

/// A row of hours.
#[derive(Clone)]
struct Hours {
    doctor: i64,
    weekday: u32,
    times: (NaiveTime, NaiveTime),
    pause: Option<(NaiveTime, NaiveTime)>,
    active: bool,
    /// None: the clinic does not say.
    updated_at: Option<DateTime<Utc>>,
}

type Day = (i64, u32);
/// The hours that hold on a day, and since when.
type Version = BTreeSet<((NaiveTime, NaiveTime), Option<(NaiveTime, NaiveTime)>)>;

#[derive(Clone)]
struct Known {
    version: Version,
    changed_at: Option<DateTime<Utc>>,
    touched_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Fits,
    Unknown,
    Conflict,
}

/// What the oracle knows.
#[derive(Default)]
struct Oracle {
    ledger: HashMap<Day, Known>,
    told: BTreeSet<(i64, Version, DateTime<Utc>)>,
    notices: BTreeMap<i64, i64>,
    open: BTreeSet<i64>,
}

fn hour(rng: &mut Rng, from: u32, to: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(rng.u32(from..to), pick(rng, &[0, 0, 30]), 0).expect("a time")
}

fn new_hours(rng: &mut Rng, doctor: i64, weekday: u32, updated_at: Option<DateTime<Utc>>) -> Hours {
    let times = (hour(rng, 0, 12), hour(rng, 12, 24));
    let pause = rng.bool().then(|| (hour(rng, 10, 12), hour(rng, 12, 14)));
    Hours { doctor, weekday, times, pause, active: rng.u8(..5) > 0, updated_at }
}

/// Some doctors never have hours.
fn random_hours(rng: &mut Rng, now: DateTime<Utc>) -> Vec<Hours> {
    let mut all = vec![];
    for doctor in (1..=DOCTORS).filter(|doctor| doctor % 7 > 0) {
        for weekday in 1..=7 {
            for _ in 0..rng.u8(0..3) {
                let at = (rng.u8(..6) > 0).then(|| now - Duration::hours(rng.i64(0..72)));
                all.push(new_hours(rng, doctor, weekday, at));
            }
        }
    }
    all
}

/// What an application does within a quarter of an hour: rows are changed, with and without a word of when, touched,
/// switched off, deleted and added.
fn edit(rng: &mut Rng, all: &mut Vec<Hours>, now: DateTime<Utc>) {
    let at = now - Duration::minutes(rng.i64(0..15));
    for _ in 0..40 {
        let place = rng.usize(..all.len());
        let row = &mut all[place];
        let said = if rng.bool() { Some(at) } else { row.updated_at };
        match rng.u8(..6) {
            0 => row.times = (hour(rng, 0, 12), hour(rng, 12, 24)),
            1 => row.active = !row.active,
            2 => drop(all.swap_remove(place)),
            3 => {
                let (doctor, weekday) = (row.doctor, row.weekday);
                all.push(new_hours(rng, doctor, weekday, Some(at)));
                continue;
            }
            4 => row.pause = None,
            _ => {}
        }
        if let Some(row) = all.get_mut(place) {
            row.updated_at = said;
        }
    }
}

async fn write(clinic: &Clinic, all: &[Hours]) {
    clinic.sql("BEGIN; DELETE FROM doctor_schedules").await;
    let insert = "INSERT INTO doctor_schedules (doctor_id, weekday, start_time, end_time, break_start, break_end, active,
                                                created_at, updated_at)
                  VALUES (k($1), $2::int, $3::time, $4::time, $5::time, $6::time, $7, $8::timestamptz, $8::timestamptz)";
    for row in all {
        let (from, to) = row.times;
        let (begins, ends) = row.pause.unzip();
        // What is none of the years that can be read says nothing.
        let never = "11000-01-01 00:00:00+00";
        let at = row.updated_at.map_or(never.to_owned(), |at| at.to_rfc3339());
        let insert = insert.replace("$8", &format!("'{at}'"));
        let weekday = row.weekday as i32;
        clinic
            .client
            .execute(&insert, &[&row.doctor, &weekday, &from, &to, &begins, &ends, &row.active])
            .await
            .expect("can be inserted");
    }
    clinic.sql("COMMIT").await;
}

fn end(row: &Row) -> Option<NaiveDateTime> {
    let begins = row.date.and_time(row.time);
    row.slot_end.map(|end| row.date.and_time(end)).or_else(|| Some(begins + Duration::minutes(row.slot_minutes?)))
}

fn verdict(version: &Version, row: &Row) -> Verdict {
    let at = |time: NaiveTime| row.date.and_time(time);
    let begins = at(row.time);
    let holds = |((from, to), _): &&((NaiveTime, NaiveTime), _)| at(*from) <= begins && begins < at(*to);
    let fits = |end: NaiveDateTime, ((_, to), pause): &((_, NaiveTime), Option<(NaiveTime, NaiveTime)>)| {
        end <= at(*to) && pause.is_none_or(|(from, to)| end <= at(from) || begins >= at(to))
    };
    let mut holding = version.iter().filter(holds);
    match end(row) {
        None if holding.next().is_some() => Verdict::Unknown,
        Some(end) if holding.any(|hours| fits(end, hours)) => Verdict::Fits,
        _ => Verdict::Conflict,
    }
}

impl Oracle {
    fn look(&mut self, all: &[Hours], now: DateTime<Utc>) {
        let doctors: BTreeSet<i64> =
            all.iter().map(|row| row.doctor).chain(self.ledger.keys().map(|(doctor, _)| *doctor)).collect();
        for day in doctors.into_iter().flat_map(|doctor| (1..=7).map(move |weekday| (doctor, weekday))) {
            let rows: Vec<&Hours> = all.iter().filter(|row| (row.doctor, row.weekday) == day).collect();
            let version: Version = rows.iter().filter(|row| row.active).map(|row| (row.times, row.pause)).collect();
            let touched_at = rows.iter().filter_map(|row| row.updated_at).max();
            let changed_at = match self.ledger.get(&day) {
                None => touched_at,
                Some(known) if known.version == version => known.changed_at,
                Some(known) if touched_at > known.touched_at => touched_at,
                Some(_) => Some(now),
            };
            self.ledger.insert(day, Known { version, changed_at, touched_at });
        }
    }

    fn judge(&mut self, rows: &[Row], made: &HashMap<i64, DateTime<Utc>>, absences: &[Absence], now: DateTime<Utc>) {
        for row in rows {
            let awaited = ["SCHEDULED", "CONFIRMED"].contains(&row.status.as_str()) && row.source == "LOCAL";
            let day = (row.doctor, row.date.weekday().number_from_monday());
            let Some(known) = self.ledger.get(&day) else { continue };
            let verdict = verdict(&known.version, row);
            let on_leave =
                absences.iter().any(|absence| absence.doctor == row.doctor && absence.holds_at(row.starts_at()));
            let is_over = row.starts_at() <= now;
            if is_over || verdict == Verdict::Fits {
                self.open.remove(&row.id);
            }
            let Some(changed_at) = known.changed_at else { continue };
            let is_due =
                awaited && !is_over && verdict == Verdict::Conflict && !on_leave && made[&row.id] <= changed_at;
            if is_due && self.told.insert((row.id, known.version.clone(), changed_at)) {
                *self.notices.entry(row.id).or_default() += 1;
                self.open.insert(row.id);
            }
        }
    }
}

/// Says when each visit was made.
async fn make(rng: &mut Rng, clinic: &Clinic, rows: &[Row], now: DateTime<Utc>) -> HashMap<i64, DateTime<Utc>> {
    let mut made = HashMap::new();
    clinic.sql("BEGIN").await;
    for row in rows {
        let at = now - Duration::hours(rng.i64(-1..80));
        let update = format!("UPDATE appointments SET created_at = '{}' WHERE id = k({})", at.to_rfc3339(), row.id);
        clinic.sql(&update).await;
        made.insert(row.id, at);
    }
    clinic.sql("COMMIT").await;
    made
}

async fn notices(clinic: &Clinic) -> BTreeMap<i64, i64> {
    let query = "SELECT n(entity_id), count(*) FROM notifications WHERE type = 'SCHEDULE_CHANGE' AND channel = 'IN_APP'
                 GROUP BY 1";
    clinic.rows(query).await.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn conflicts_are_what_the_oracle_says_while_hours_change() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        let rows = rows(&clinic).await;
        let made = make(&mut rng, &clinic, &rows, now).await;
        let absences = random_absences(&mut rng, &clinic, &rows).await;
        let mut all = random_hours(&mut rng, now);
        let (mut oracle, mut news) = (Oracle::default(), 0);
        for round in 0..4 {
            let now = now + Duration::minutes(15 * round);
            if round > 0 {
                edit(&mut rng, &mut all, now);
            }
            write(&clinic, &all).await;
            let before: i64 = oracle.notices.values().sum();
            oracle.look(&all, now);
            oracle.judge(&rows, &made, &absences, now);
            let at = now.to_rfc3339();
            let args = ["flag-schedule-conflicts", "--as-of", &at, "--batch-rows", "100", "--max-items", "10000"];
            let outcome = clinic.run(&args).await;
            assert!([0, 3].contains(&outcome.code), "{outcome:?}");
            let what = format!("seed {seed}, {now}, round {round}, {kind:?}");
            assert_eq!(notices(&clinic).await, oracle.notices, "{what}");
            let open = super::open(&clinic).await;
            assert_eq!(open, oracle.open.iter().copied().collect::<Vec<_>>(), "{what}");
            news += usize::from(oracle.notices.values().sum::<i64>() > before);
            // Again, at once: nothing.
            let again = clinic.run(&args).await;
            assert_eq!((again.count("flagged"), again.count("cleared")), (0, 0), "{what}");
        }
        assert!(news > 1, "edits of the hours lead to no conflicts: seed {seed}");
        let uncleared = oracle.open.len() as i64;
        assert!(uncleared < oracle.notices.values().sum::<i64>(), "no flag was cleared: seed {seed}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_visit_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        clinic.sql(FEWER).await;
        let rows = rows(&clinic).await;
        make(&mut rng, &clinic, &rows, now).await;
        random_absences(&mut rng, &clinic, &rows).await;
        let mut all = random_hours(&mut rng, now);
        write(&clinic, &all).await;
        let at = (now - Duration::minutes(15)).to_rfc3339();
        clinic.run(&["flag-schedule-conflicts", "--as-of", &at, "--max-items", "10000"]).await;
        // A list names a flag that is cleared by the flag's id, and not by the visit's.
        clinic.sql("DELETE FROM schedule_flags").await;
        edit(&mut rng, &mut all, now);
        write(&clinic, &all).await;
        let rows = rows.iter().map(|row| row.id).collect();
        let args = ["flag-schedule-conflicts", "--max-items", "10000"];
        let explained = Explained { clinic: &clinic, args: &args, rows };
        explained.agree(&mut rng, now, &format!("seed {seed}, {kind:?}")).await;
    }
}
