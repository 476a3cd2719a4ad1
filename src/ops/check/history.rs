//! What became of the lanes so far: the last run of each, failures in a row, and the oldest message that waits.
//!
//! Rule: a lane that `rounds health` calls unhealthy or degraded is a warning, and so is one whose last run failed. Where
//! no lane has ever run to its end, no scheduler is set up yet, and nothing is a warning.

use chrono::{DateTime, Utc};
use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Section, Topic};
use crate::db::tried;
use crate::error::{Error, ErrorKind};
use crate::ops::health::{self, LaneReport};
use crate::output::{counted, span};
use crate::run::{PAUSED, RESTORED};
use crate::schedule::Row;
use crate::time_zone::Tz;

/// Looks at the lanes of these rows.
pub async fn look(
    tx: &Transaction<'_>,
    rows: &[&'static Row],
    zone: Tz,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let lanes = match tried(tx, async || health::verdicts(tx, zone, now, now).await).await? {
        Ok(lanes) => lanes,
        Err(error) if error.kind == ErrorKind::Transient => return Err(error),
        Err(error) => {
            let what = format!("not looked at: {} [{}]", error.message, error.code);
            findings.section(None, Topic::Runs).skip(what);
            return Ok(());
        }
    };
    let is_new = lanes.iter().all(|lane| !has_run(lane));
    for lane in lanes.iter().filter(|lane| rows.iter().any(|row| row.name() == lane.row.name())) {
        let mut section = findings.section(Some(lane.row.job), Topic::Runs);
        tell(lane, is_new, now, &mut section);
    }
    Ok(())
}

fn tell(lane: &LaneReport, is_new: bool, now: DateTime<Utc>, section: &mut Section<'_>) {
    let LaneReport { row, verdict, lane: facts, .. } = lane;
    let name = if row.lane.is_empty() { String::new() } else { format!("{}: ", row.lane) };
    if verdict.codes.contains(&PAUSED) {
        return section.skip(format!("{name}{}", verdict.message));
    }
    if is_new {
        return section.skip(format!("{name}no run yet; a scheduler has to start it"));
    }
    let last = match &facts.last_success {
        Some(run) => format!("last success {} ago", span(now - run.completed_at.unwrap_or(run.started_at))),
        None => "no success yet".to_owned(),
    };
    let waiting = facts.delivery.as_ref().map(|delivery| match delivery.waiting_seconds(now) {
        0 => ", no message waits".to_owned(),
        seconds => {
            format!(", the oldest message waits for {}", span(chrono::TimeDelta::seconds(seconds.cast_signed())))
        }
    });
    let waiting = waiting.unwrap_or_default();
    let look = Remedy::command(format!("rounds health {}", row.name()));
    let failed = facts.last_error.as_ref().filter(|_| facts.is_failing());
    match failed {
        Some((code, message)) => {
            let failures = counted(usize::try_from(facts.failures).unwrap_or_default(), "failure");
            section.warn(format!("{name}{last}{waiting}; {failures} in a row since: {message} [{code}]"), look);
        }
        // What a restored backup needs is told elsewhere.
        None if verdict.codes.contains(&RESTORED) => {}
        None if verdict.healthy && !verdict.degraded => section.ok(format!("{name}{last}{waiting}")),
        None => section.warn(format!("{name}{}", verdict.message), look),
    }
}

fn has_run(report: &LaneReport) -> bool {
    report.lane.last_success.is_some() || report.lane.failed_at.is_some()
}
