//! The rule in SQL against the same rule in Rust, on random rows.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use fastrand::Rng;

use crate::jobs::properties::{Absence, Row, instants, random_absences, random_clinic, rows, seed};
use crate::support::keys::Kind;

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

#[tokio::test]
async fn no_shows_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants().into_iter().zip(Kind::ALL.into_iter().cycle()) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        let rows = rows(&clinic).await;
        let lookback = rng.i64(0..10);
        let absences = random_absences(&mut rng, &clinic, &rows).await;
        let late = rows.iter().filter(|row| row.is_late(now, lookback));
        let (left_alone, due): (Vec<&Row>, Vec<&Row>) = late.partition(|row| row.is_on_leave(&absences));
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
        assert!(due.len() > 20 && left_alone.len() > 2, "the rows are no test: {} {}", due.len(), left_alone.len());
        let skipped = outcome.report()["skipped_by_reason"]["doctor_absent"].as_u64();
        assert_eq!(skipped, Some(left_alone.len() as u64), "seed {seed}, {now}, {kind:?}");
        assert_eq!(ids("SELECT n(appointment_id) FROM no_show_logs").await, due, "seed {seed}, {now}, {kind:?}");
        let log = "SELECT n(appointment_id) FROM no_show_logs WHERE slot_released";
        assert_eq!(ids(log).await, released, "seed {seed}, {now}, {kind:?}");
        let taken =
            "SELECT n(a.id) FROM appointments a JOIN doctor_slots s ON s.appointment_id = a.id WHERE s.is_booked";
        let expected = rows.iter().filter(|row| row.slot_end.is_some() && !released.contains(&row.id));
        assert_eq!(ids(taken).await, expected.map(|row| row.id).collect(), "seed {seed}, {now}, {kind:?}");
    }
}
