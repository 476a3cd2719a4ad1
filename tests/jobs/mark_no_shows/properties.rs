//! The rule in SQL against the same rule in Rust, on random rows.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use fastrand::Rng;

use crate::jobs::explained::Explained;
use crate::jobs::properties::{Absence, Row, instants, random_absences, random_clinic, rows, seed};
use crate::support::Clinic;

/// So that lists are short.
const FEWER: &str = "UPDATE appointments SET status = 'COMPLETED' WHERE n(id) > 250 AND cancelled_at IS NULL";

impl Row {
    fn is_late(&self, now: DateTime<Utc>, lookback_days: i64) -> bool {
        let today = now.with_timezone(&self.zone).date_naive();
        self.source == "LOCAL"
            && ["SCHEDULED", "CONFIRMED"].contains(&self.status.as_str())
            && self.date >= today - Duration::days(lookback_days)
            && self
                .no_show_after
                .or(self.slot_minutes)
                .is_some_and(|timeout| now >= self.starts_at() + Duration::minutes(timeout))
    }

    fn is_on_leave(&self, absences: &[Absence]) -> bool {
        absences.iter().any(|absence| absence.doctor == self.doctor && absence.holds_at(self.starts_at()))
    }
}

/// Writes marks of some visits that a person undid: of the start that the visit has, or of another one. Returns the
/// visits of the first kind.
async fn undo_some(rng: &mut Rng, clinic: &Clinic, rows: &[Row]) -> BTreeSet<i64> {
    let mut undone = BTreeSet::new();
    for row in rows {
        let moved = match rng.u8(..8) {
            0 | 1 => Duration::zero(),
            2 => Duration::minutes(1),
            _ => continue,
        };
        let insert = "INSERT INTO no_show_logs (appointment_id, reason, timeout_minutes, slot_time, triggered_at,
                                                slot_released, undone_at, undone_by, undo_reason)
                      VALUES (k($1)::text, 'AUTO_TIMEOUT', 1, $2, $2, false, $2, '1', 'r')";
        clinic.client.execute(insert, &[&row.id, &(row.starts_at() + moved)]).await.expect("can be inserted");
        if moved.is_zero() {
            undone.insert(row.id);
        }
    }
    undone
}

#[tokio::test]
async fn no_shows_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    let mut excused = [0, 0];
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        let rows = rows(&clinic).await;
        let lookback = rng.i64(0..10);
        let absences = random_absences(&mut rng, &clinic, &rows).await;
        let undone = undo_some(&mut rng, &clinic, &rows).await;
        let late = rows.iter().filter(|row| row.is_late(now, lookback));
        let (left_alone, judged): (Vec<&Row>, Vec<&Row>) = late.partition(|row| row.is_on_leave(&absences));
        let (taken_back, due): (Vec<&Row>, Vec<&Row>) = judged.iter().partition(|row| undone.contains(&row.id));
        let due: BTreeSet<i64> = due.iter().map(|row| row.id).collect();
        let released: BTreeSet<i64> = rows
            .iter()
            .filter(|row| due.contains(&row.id) && row.slot_ends_at().is_some_and(|end| now < end))
            .map(|row| row.id)
            .collect();
        let (lookback, as_of) = (lookback.to_string(), now.to_rfc3339());
        let args = ["mark-no-shows", "--as-of", &as_of, "--lookback-days", &lookback, "--batch-rows", "100"];
        let outcome = clinic.run(&args).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let ids = async |query: &str| clinic.rows(query).await.iter().map(|row| row.get(0)).collect::<BTreeSet<i64>>();
        assert!(due.len() > 4, "the rows are no test: {}, seed {seed}", due.len());
        let skipped = ["doctor_absent", "undone"]
            .map(|reason| outcome.report()["skipped_by_reason"][reason].as_u64().unwrap_or(0));
        let expected = [left_alone.len() as u64, taken_back.len() as u64];
        assert_eq!(skipped, expected, "seed {seed}, {now}, {kind:?}");
        excused = [excused[0] + skipped[0], excused[1] + skipped[1]];
        let log = "SELECT n(appointment_id) FROM no_show_logs WHERE undone_at IS NULL";
        assert_eq!(ids(log).await, due, "seed {seed}, {now}, {kind:?}");
        let log = "SELECT n(appointment_id) FROM no_show_logs WHERE undone_at IS NULL AND slot_released";
        assert_eq!(ids(log).await, released, "seed {seed}, {now}, {kind:?}");
        let taken =
            "SELECT n(a.id) FROM appointments a JOIN doctor_slots s ON s.appointment_id = a.id WHERE s.is_booked";
        let expected = rows.iter().filter(|row| row.slot_end.is_some() && !released.contains(&row.id));
        assert_eq!(ids(taken).await, expected.map(|row| row.id).collect(), "seed {seed}, {now}, {kind:?}");
    }
    assert!(excused.iter().all(|visits| *visits > 0), "the excuses are no test: {excused:?}, seed {seed}");
}

#[tokio::test]
async fn what_is_said_of_a_visit_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        clinic.sql(FEWER).await;
        let rows = rows(&clinic).await;
        random_absences(&mut rng, &clinic, &rows).await;
        let rows = rows.iter().map(|row| row.id).collect();
        let args = ["mark-no-shows", "--lookback-days", &rng.i64(0..10).to_string()];
        let explained = Explained { clinic: &clinic, args: &args, rows };
        explained.agree(&mut rng, now, &format!("seed {seed}, {kind:?}")).await;
    }
}
