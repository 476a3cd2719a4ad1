//! What jobs live on: the age of the provider registry, and the requests that the PracticeQ account still allows today.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use crate::db::{UNREADABLE, statements, unless};
use crate::error::Error;
use crate::jobs::refresh_npi::RefreshNpi;
use crate::jobs::sync_practiceq::SyncPracticeq;
use crate::ops::report;
use crate::output::{span, stamp};
use crate::run::{Job as _, has_passed};

statements! {
    AGE() = "SELECT max(f.period_end) AS up_to, clock_timestamp() AS now FROM npi_files f";
    // The requests of the day that counts for the limit, and until when the account asked for a pause.
    USED() = format!(
        "SELECT (SELECT count(*) FROM api_requests r
                 WHERE r.account = b.account AND r.requested_at > clock_timestamp() - interval '24 hours 1 minute'
                   AND {}) AS used,
                CASE WHEN b.blocked_until > clock_timestamp() THEN b.blocked_until END AS blocked_until
         FROM api_budgets b WHERE b.account = 'practiceq'",
        has_passed("r.requested_at")
    );
}

/// A file of changes comes each week, and a whole one each month.
const AGE_MAX: TimeDelta = TimeDelta::days(45);
/// With less than this part of the day's requests left, a person should know.
const LEAST_PART: i64 = 10;

pub async fn look(tx: &Transaction<'_>, jobs: &[&'static str], findings: &mut Findings) -> Result<(), Error> {
    if jobs.contains(&RefreshNpi::NAME) {
        unless(tx, &UNREADABLE, async || look_at_the_registry(tx, findings).await).await?;
    }
    if jobs.contains(&SyncPracticeq::NAME) {
        unless(tx, &UNREADABLE, async || look_at_the_requests(tx, findings).await).await?;
    }
    Ok(())
}

async fn look_at_the_registry(tx: &Transaction<'_>, findings: &mut Findings) -> Result<(), Error> {
    let row = AGE.one(tx, &[]).await?;
    let mut section = findings.section(Some(RefreshNpi::NAME), Topic::Registry);
    let (Some(up_to), now) = (row.get::<_, Option<NaiveDate>>("up_to"), row.get::<_, DateTime<Utc>>("now")) else {
        section.skip("no file was loaded yet");
        return Ok(());
    };
    let age = now.date_naive() - up_to;
    let what = format!("up to {up_to}, {} old", span(age.max(TimeDelta::zero())));
    match age > AGE_MAX {
        true => section.warn(format!("{what}: no newer file was loaded"), Remedy::command("rounds refresh-npi")),
        false => section.ok(what),
    }
    Ok(())
}

async fn look_at_the_requests(tx: &Transaction<'_>, findings: &mut Findings) -> Result<(), Error> {
    let used = USED.opt(tx, &[]).await?;
    let per_day = report::per_day_max(tx).await?;
    let mut section = findings.section(Some(SyncPracticeq::NAME), Topic::Requests);
    let (Some(row), Some(per_day)) = (used, per_day) else {
        section.skip("nothing was asked of the account yet");
        return Ok(());
    };
    let left = (per_day - row.get::<_, i64>("used")).max(0);
    let what = format!("{left} of {per_day} requests are left of the last 24 hours");
    let advice =
        Remedy::advice("--requests-per-day says what the account allows; docs/practiceq.md says what asks most");
    match row.get::<_, Option<DateTime<Utc>>>("blocked_until") {
        Some(until) => section.warn(format!("{what}; the account asked for a pause until {}", stamp(until)), None),
        None if left * LEAST_PART < per_day => section.warn(what, advice),
        None => section.ok(what),
    }
    Ok(())
}
