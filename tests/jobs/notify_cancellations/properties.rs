//! The rule in SQL against the same rule in Rust, on random rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, NaiveDateTime, Utc};
use fastrand::Rng;

use super::began;
use crate::jobs::explained::Explained;
use crate::jobs::properties::{Absence, Row, around, instants, pick, random_absences, random_clinic, rows, seed};
use crate::support::Clinic;
use crate::support::keys::Kind;

/// So that lists are short.
const FEWER: &str = "UPDATE appointments SET status = 'COMPLETED', cancelled_at = NULL WHERE n(id) > 250";
const DAY: Duration = Duration::hours(24);

/// What the ledger has of a visit.
struct Known {
    start: NaiveDateTime,
    cancelled_at: DateTime<Utc>,
    seen_at: DateTime<Utc>,
}

/// A clinic, and what the oracle knows of it.
struct World {
    clinic: Clinic,
    now: DateTime<Utc>,
    lookback: i64,
    began: Option<DateTime<Utc>>,
    rows: Vec<Row>,
    absences: Vec<Absence>,
    /// When each visit was cancelled, as the clinic says.
    cancelled: BTreeMap<i64, DateTime<Utc>>,
    by_doctor: BTreeSet<i64>,
    /// The open rows of the ledger, by visit.
    known: BTreeMap<i64, Known>,
    /// The doctors who can be told, and those for whom receptionists are there.
    reached: BTreeSet<i64>,
    stood_in_for: BTreeSet<i64>,
}

async fn ids(clinic: &Clinic, query: &str) -> BTreeSet<i64> {
    clinic.rows(query).await.iter().map(|row| row.get(0)).collect()
}

impl World {
    async fn new(rng: &mut Rng, now: DateTime<Utc>, kind: Kind) -> Self {
        let clinic = random_clinic(rng, now, kind).await;
        let rows = rows(&clinic).await;
        let began_at = (rng.u8(..4) > 0).then(|| now - Duration::hours(rng.i64(1..40)));
        let absences = random_absences(rng, &clinic, &rows).await;
        let mut world = Self {
            clinic,
            now,
            lookback: rng.i64(0..10),
            began: began_at,
            rows,
            absences,
            cancelled: BTreeMap::new(),
            by_doctor: BTreeSet::new(),
            known: BTreeMap::new(),
            reached: BTreeSet::new(),
            stood_in_for: BTreeSet::new(),
        };
        if let Some(at) = began_at {
            began(&world.clinic, &at.to_rfc3339()).await;
        }
        world.clinic.sql("BEGIN").await;
        world.cancel_some(rng).await;
        world.remember_some(rng).await;
        world.clinic.sql("COMMIT").await;
        world.hire_some(rng).await;
        world
    }

    /// Cancels half of the visits, at instants at which the rule turns.
    async fn cancel_some(&mut self, rng: &mut Rng) {
        let update = "UPDATE appointments SET status = 'CANCELLED', cancelled_at = $2::timestamptz, checked_in_at = NULL,
                             vitals_recorded_at = NULL,
                             cancelled_by = CASE WHEN $3 THEN (SELECT d.user_id FROM doctors d WHERE d.id = doctor_id) END
                      WHERE id = k($1)";
        for row in &mut self.rows {
            if row.status != "CANCELLED" && rng.bool() {
                continue;
            }
            let turns = [row.starts_at(), row.starts_at() - DAY, self.began.unwrap_or(self.now), self.now];
            let turn = pick(rng, &turns);
            // Where the program keeps it, an instant has microseconds.
            let at = around(rng, turn);
            let by_doctor = rng.u8(..8) == 0;
            self.clinic.client.execute(update, &[&row.id, &at, &by_doctor]).await.expect("can be cancelled");
            row.status = "CANCELLED".to_owned();
            self.cancelled.insert(row.id, at);
            if by_doctor {
                self.by_doctor.insert(row.id);
            }
        }
    }

    /// Writes rows of the ledger, of this cancellation, of an earlier one, of another start, or of none.
    async fn remember_some(&mut self, rng: &mut Rng) {
        let insert =
            "INSERT INTO visit_cancellations (appointment_id, visit_start, cancelled_at, seen_at, outcome, ended_at)
                      VALUES (k($1)::text, $2, $3, $4, 'TOLD', $5)";
        for row in &self.rows {
            if rng.u8(..3) > 0 {
                continue;
            }
            let moved = if rng.u8(..6) == 0 { Duration::minutes(1) } else { Duration::zero() };
            let start = row.date.and_time(row.time) + moved;
            let own = self.cancelled.get(&row.id).copied().unwrap_or(self.now);
            let cancelled_at = own - Duration::microseconds(pick(rng, &[0, 0, 1, -1]));
            let seen_at = cancelled_at + Duration::microseconds(pick(rng, &[0, 1, -1, 60_000_000]));
            let ended_at = (rng.u8(..4) == 0).then_some(self.now);
            self.clinic
                .client
                .execute(insert, &[&row.id, &start, &cancelled_at, &seen_at, &ended_at])
                .await
                .expect("can be inserted");
            if ended_at.is_none() {
                self.known.insert(row.id, Known { start, cancelled_at, seen_at });
            }
        }
    }

    /// Lets some doctors have no active user, and gives some facilities receptionists.
    async fn hire_some(&mut self, rng: &mut Rng) {
        self.clinic.sql(&format!("UPDATE users SET active = false WHERE n(id) % {} = 0", rng.u8(2..4))).await;
        for facility in 1..=6 {
            if rng.bool() {
                self.clinic.user(facility, "RECEPTIONIST").await;
            }
        }
        let reached = "SELECT n(d.id) FROM doctors d JOIN users u ON u.id = d.user_id WHERE u.active";
        self.reached = ids(&self.clinic, reached).await;
        let stood_in =
            "SELECT n(d.id) FROM doctors d WHERE EXISTS (SELECT FROM users u WHERE u.facility_id = d.facility_id
                                                                   AND u.active AND u.role = 'RECEPTIONIST')";
        self.stood_in_for = ids(&self.clinic, stood_in).await;
    }

    fn is_in_window(&self, row: &Row) -> bool {
        let today = self.now.with_timezone(&row.zone).date_naive();
        row.source == "LOCAL" && row.status == "CANCELLED" && row.date >= today - Duration::days(self.lookback)
    }

    fn is_known(&self, row: &Row) -> bool {
        let at = self.cancelled[&row.id];
        let has =
            |known: &Known| known.start == row.date.and_time(row.time) && at <= known.cancelled_at.max(known.seen_at);
        self.known.get(&row.id).is_some_and(has)
    }

    /// What the ledger is to have of a cancellation that it does not have.
    fn outcome(&self, row: &Row) -> &'static str {
        let said = self.cancelled[&row.id];
        let at = said.min(self.now);
        let ends_at = row.slot_ends_at().unwrap_or(row.starts_at()).max(row.starts_at());
        if said < self.began.unwrap_or(self.now) {
            "BEFORE"
        } else if row.starts_at() < at || ends_at <= self.now {
            "PAST"
        } else if self.by_doctor.contains(&row.id) {
            "BY_DOCTOR"
        } else if self.reached.contains(&row.doctor) {
            "TOLD"
        } else if self.stood_in_for.contains(&row.doctor) {
            "TOLD_STAND_INS"
        } else {
            "NOBODY"
        }
    }

    /// Whether a slot of the visit lies in an active absence.
    fn is_blocked(&self, row: &Row) -> bool {
        let ends = row.slot_ends_at().expect("it has a slot");
        let mut at = row.starts_at();
        while at < ends {
            if self.absences.iter().any(|absence| absence.doctor == row.doctor && absence.holds_at(at)) {
                return true;
            }
            at += Duration::minutes(1);
        }
        false
    }
}

#[tokio::test]
async fn cancellations_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (now, kind) in instants(&mut rng) {
        let world = World::new(&mut rng, now, kind).await;
        let what = format!("seed {seed}, {now}, {kind:?}");
        let (lookback, as_of) = (world.lookback.to_string(), now.to_rfc3339());
        let args = ["notify-cancellations", "--as-of", &as_of, "--lookback-days", &lookback, "--batch-rows", "100"];
        let outcome = world.clinic.run(&args).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let run = outcome.report()["run_id"].as_str().expect("an id").to_owned();
        let looked_at: Vec<&Row> = world.rows.iter().filter(|row| world.is_in_window(row)).collect();
        let fresh = looked_at.iter().filter(|row| !world.is_known(row));
        let expected: BTreeMap<i64, &str> = fresh.map(|row| (row.id, world.outcome(row))).collect();
        let query = format!(
            "SELECT n(appointment_id), outcome FROM visit_cancellations WHERE run_id = '{run}' AND outcome <> 'BEGAN'"
        );
        let recorded: BTreeMap<i64, String> =
            world.clinic.rows(&query).await.iter().map(|row| (row.get(0), row.get(1))).collect();
        let recorded: BTreeMap<i64, &str> = recorded.iter().map(|(id, outcome)| (*id, outcome.as_str())).collect();
        assert_eq!(recorded, expected, "{what}");
        for outcome in expected.values() {
            *seen.entry(outcome).or_default() += 1;
        }
        // Slots: every one that a visit of the window has.
        let released: Vec<&&Row> = looked_at.iter().filter(|row| row.slot_end.is_some()).collect();
        let of_slots = |rows: &mut dyn Iterator<Item = &Row>| rows.map(|row| row.id).collect::<BTreeSet<i64>>();
        let kept = of_slots(&mut world.rows.iter().filter(|row| row.slot_end.is_some() && !world.is_in_window(row)));
        let taken = "SELECT n(appointment_id) FROM doctor_slots WHERE appointment_id IS NOT NULL AND is_booked";
        assert_eq!(ids(&world.clinic, taken).await, kept, "{what}");
        let blocked = released.iter().filter(|row| world.is_blocked(row)).count() as u64;
        let counts = [outcome.count("slots_released"), outcome.count("slots_blocked")];
        assert_eq!(counts, [released.len() as u64, blocked], "{what}");
        let in_slots =
            "SELECT count(*) FROM doctor_slots WHERE is_blocked AND NOT is_booked AND appointment_id IS NULL";
        assert_eq!(world.clinic.count(in_slots).await as u64, blocked, "{what}");
        // Notices: one a cancellation, HIGH where at most 24 hours were left.
        let is_told = |outcome: &str| ["TOLD", "TOLD_STAND_INS"].contains(&outcome);
        let told: BTreeSet<i64> = expected.iter().filter(|(_, outcome)| is_told(outcome)).map(|(id, _)| *id).collect();
        let high = |row: &&&Row| row.starts_at() - world.cancelled[&row.id].min(now) <= DAY;
        let urgent = looked_at.iter().filter(|row| told.contains(&row.id)).filter(high).map(|row| row.id).collect();
        assert_eq!(ids(&world.clinic, "SELECT n(entity_id) FROM notifications").await, told, "{what}");
        let query = "SELECT n(entity_id) FROM notifications WHERE priority = 'HIGH'";
        assert_eq!(ids(&world.clinic, query).await, urgent, "{what}");
        // Rows that ended: those of visits that are cancelled no more and lie ahead, and of those cancelled again.
        let open = "SELECT n(appointment_id) FROM visit_cancellations WHERE ended_at IS NULL AND run_id IS NULL
                    AND outcome <> 'BEGAN'";
        let left = ids(&world.clinic, open).await;
        for row in world.rows.iter().filter(|row| world.known.contains_key(&row.id)) {
            let today = now.with_timezone(&row.zone).date_naive();
            if row.status == "CANCELLED" {
                assert_eq!(left.contains(&row.id), !expected.contains_key(&row.id), "{what}: {}", row.id);
            } else if row.date >= today {
                assert!(!left.contains(&row.id), "{what}: {}", row.id);
            }
        }
        // A second run finds nothing.
        assert_eq!(world.clinic.run(&args).await.count("scanned"), 0, "{what}");
    }
    for outcome in ["BEFORE", "PAST", "BY_DOCTOR", "TOLD", "TOLD_STAND_INS", "NOBODY"] {
        assert!(seen.get(outcome).is_some_and(|visits| *visits > 3), "the rows are no test of {outcome}: {seen:?}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_visit_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let world = World::new(&mut rng, now, kind).await;
        // A row that ends is listed by its own id, which is also that of some visit.
        let ends = "DELETE FROM visit_cancellations x
                    WHERE NOT EXISTS (SELECT FROM appointments a
                                      WHERE a.id::text = x.appointment_id AND a.status = 'CANCELLED') AND x.outcome <> 'BEGAN'";
        world.clinic.sql(FEWER).await;
        world.clinic.sql(ends).await;
        let rows = world.rows.iter().map(|row| row.id).collect();
        let args = ["notify-cancellations", "--lookback-days", &world.lookback.to_string()];
        let explained = Explained { clinic: &world.clinic, args: &args, rows };
        explained.agree(&mut rng, now, &format!("seed {seed}, {kind:?}")).await;
    }
}
