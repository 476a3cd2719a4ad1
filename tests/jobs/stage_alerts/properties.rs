//! The rule in SQL against the same rule in Rust, on random rows.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use fastrand::Rng;

use crate::jobs::explained::Explained;
use crate::jobs::properties::{Row, instants, random_clinic, rows, seed};

impl Row {
    fn alerts(&self, now: DateTime<Utc>, by_arrival: bool, lookback_days: i64) -> Vec<&'static str> {
        let (Some(checked_in), "CHECKED_IN") = (self.checked_in, self.status.as_str()) else { return vec![] };
        if self.date < now.with_timezone(&self.zone).date_naive() - Duration::days(lookback_days) {
            return vec![];
        }
        let past = |since: Option<DateTime<Utc>>, minutes| {
            since.is_some_and(|since| now >= since + Duration::minutes(minutes))
        };
        let no_vitals = if by_arrival { Some(self.starts_at().max(checked_in)) } else { self.slot_ends_at() };
        let no_doctor = if by_arrival { self.vitals } else { self.slot_ends_at() };
        let mut alerts = vec![];
        if self.vitals.is_none() && past(no_vitals, 5) {
            alerts.push("NO_VITALS");
        }
        if self.vitals.is_some() && past(no_doctor, 10) {
            alerts.push("NO_DOCTOR");
        }
        if self.waiting_after.is_some_and(|minutes| past(Some(checked_in), minutes)) {
            alerts.push("WAITING_TOO_LONG");
        }
        alerts
    }
}

#[tokio::test]
async fn alerts_are_what_the_oracle_says() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        let rows = rows(&clinic).await;
        let by_arrival = rng.bool();
        let lookback = rng.i64(0..10);
        let due: BTreeSet<(i64, String)> = rows
            .iter()
            .flat_map(|row| row.alerts(now, by_arrival, lookback).into_iter().map(|alert| (row.id, alert.to_owned())))
            .collect();
        let as_of = now.to_rfc3339();
        let basis = if by_arrival { "arrival" } else { "slot-end" };
        let days = lookback.to_string();
        let args = ["stage-alerts", "--as-of", &as_of, "--basis", basis, "--lookback-days", &days];
        let outcome = clinic.run(&[&args[..], &["--batch-rows", "50"]].concat()).await;
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let raised = clinic.rows("SELECT n(appointment_id), alert_type FROM stage_alerts").await;
        let raised: BTreeSet<(i64, String)> = raised.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert!(due.len() > 20, "the rows are no test: {}", due.len());
        assert_eq!(raised, due, "seed {seed}, {now}, {basis}, {kind:?}");
    }
}

#[tokio::test]
async fn what_is_said_of_a_visit_is_what_a_run_does() {
    let seed = seed();
    let mut rng = Rng::with_seed(seed);
    for (now, kind) in instants(&mut rng) {
        let clinic = random_clinic(&mut rng, now, kind).await;
        clinic.sql("UPDATE appointments SET status = 'COMPLETED' WHERE n(id) > 600 AND cancelled_at IS NULL").await;
        let rows = rows(&clinic).await;
        let rows = rows.iter().filter(|row| row.status == "CHECKED_IN" || rng.u8(..8) == 0).map(|row| row.id).collect();
        let days = rng.i64(0..4).to_string();
        let basis = if rng.bool() { "arrival" } else { "slot-end" };
        let args = ["stage-alerts", "--basis", basis, "--lookback-days", &days];
        let explained = Explained { clinic: &clinic, args: &args, rows };
        explained.agree(&mut rng, now, &format!("seed {seed}, {args:?}, {kind:?}")).await;
    }
}
