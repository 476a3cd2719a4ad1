//! `rounds report`: its figures are those of SQL, its page is one, and nobody is named.

mod figures;
mod jobs;
mod page;

use std::fs;

use serde_json::Value;

use crate::support::Clinic;

/// The end of the report's period.
const AS_OF: [&str; 2] = ["--as-of", "2026-03-31T20:00:00Z"];
const SCHEDULE_ZONE: [&str; 2] = ["--schedule-zone", "America/New_York"];
/// Visits, alerts, cases, tickets, money, requests, messages and files.
const CLINIC: &str = include_str!("../../data/report/clinic.sql");

/// A report of thirty days.
async fn report(clinic: &Clinic, args: &[&str]) -> Value {
    let outcome = clinic.run(&[&["report"], &AS_OF[..], &SCHEDULE_ZONE[..], args].concat()).await.expect(0);
    assert!(!format!("{outcome:?}").contains("CANARY"), "a patient's text: {outcome:?}");
    outcome.report()
}

/// The page of one.
async fn page(clinic: &Clinic, args: &[&str]) -> String {
    let place = tempfile::tempdir().expect("a place");
    let path = place.path().join("report.html");
    report(clinic, &[&["--html", path.to_str().expect("UTF-8")], args].concat()).await;
    let page = fs::read_to_string(path).expect("the page is there");
    assert!(!page.contains("CANARY"), "a patient's text is in the page");
    page
}

async fn clinic() -> Clinic {
    let clinic = Clinic::new().await;
    clinic.sql(CLINIC).await;
    clinic
}
