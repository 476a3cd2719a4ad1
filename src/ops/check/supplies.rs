//! What jobs live on: the age of the provider registry, and the requests that the PracticeQ account still allows today.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Section, Topic};
use crate::db::{Row, UNREADABLE, statements, unless};
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
        let row = unless(tx, &UNREADABLE, async || AGE.one(tx, &[]).await).await?;
        tell_the_age(row.as_ref(), &mut findings.section(Some(RefreshNpi::NAME), Topic::Registry));
    }
    if jobs.contains(&SyncPracticeq::NAME) {
        let read = async || Ok((USED.opt(tx, &[]).await?, report::per_day_max(tx).await?));
        let requests = unless(tx, &UNREADABLE, read).await?;
        tell_the_requests(requests, &mut findings.section(Some(SyncPracticeq::NAME), Topic::Requests));
    }
    Ok(())
}

fn tell_the_age(row: Option<&Row>, section: &mut Section<'_>) {
    let Some(row) = row else {
        return section.skip("this role may not read npi_files");
    };
    let (Some(up_to), now) = (row.get::<_, Option<NaiveDate>>("up_to"), row.get::<_, DateTime<Utc>>("now")) else {
        return section.skip("no file was loaded yet");
    };
    let age = now.date_naive() - up_to;
    let what = format!("up to {up_to}, {} old", span(age.max(TimeDelta::zero())));
    match age > AGE_MAX {
        true => section.warn(format!("{what}: no newer file was loaded"), Remedy::command("rounds refresh-npi")),
        false => section.ok(what),
    }
}

/// Tells of the requests that were used, and of how many a day allows.
fn tell_the_requests(requests: Option<(Option<Row>, Option<i64>)>, section: &mut Section<'_>) {
    let (row, per_day) = match requests {
        None => return section.skip("this role may not read api_requests and api_budgets"),
        Some((Some(row), Some(per_day))) => (row, per_day),
        Some(_) => return section.skip("nothing was asked of the account yet"),
    };
    let left = (per_day - row.get::<_, i64>("used")).max(0);
    let what = format!("{left} of {per_day} requests are left of the last 24 hours");
    let advice = Remedy::advice(
        "--requests-per-day says what the account allows; `rounds report` shows which requests were made on which day",
    );
    match row.get::<_, Option<DateTime<Utc>>>("blocked_until") {
        Some(until) => section.warn(format!("{what}; the account asked for a pause until {}", stamp(until)), None),
        None if left * LEAST_PART < per_day => section.warn(what, advice),
        None => section.ok(what),
    }
}
