//! What a job would do now: a dry run of it, with the options that its scheduler gives.

use std::time::Duration;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::finding::{Findings, Remedy, Section, Topic};
use crate::command::CommandContext;
use crate::exit::Exit;
use crate::jobs::{self, Lookout};
use crate::output::span;
use crate::run::Summary;
use crate::schedule::Row;

/// The time for one dry run.
const LIMIT: Duration = Duration::from_secs(30);

pub async fn look(row: &'static Row, context: &CommandContext<'_>, read_only: bool, findings: &mut Findings) {
    let is_stopped = findings.stops(row.job);
    let mut section = findings.section(Some(row.job), Topic::Outlook);
    let lane = if row.lane.is_empty() { String::new() } else { format!("{}: ", row.lane) };
    let command = std::iter::once(row.job).chain(row.args.iter().copied()).collect::<Vec<_>>().join(" ");
    let by_hand = Remedy::command(format!("rounds {command} --dry-run"));
    if let Some(whom) = calls(row.job) {
        return section.ok(format!("{lane}not tried: it calls {whom}; `rounds {command} --dry-run` does"));
    }
    if read_only {
        return section.ok(format!("{lane}not tried (--read-only); `rounds {command} --dry-run` does"));
    }
    if is_stopped {
        return section.ok(format!("{lane}not tried: what fails above comes first"));
    }
    let mut common = context.args.clone();
    common.dry_run = true;
    common.timeout = Some(common.timeout.map_or(LIMIT, |timeout| timeout.min(LIMIT)));
    // The log lines of the dry run are not of this command.
    let rehearsal = Box::pin(jobs::rehearse(row, common, context.db.clone())).with_subscriber(NoSubscriber::default());
    match rehearsal.await {
        Ok(Lookout { summary, oldest }) => {
            let since = oldest.map(|(now, due)| format!(", the oldest for {}", span(now - due))).unwrap_or_default();
            tell(&summary, &lane, &since, by_hand, &mut section);
        }
        Err(message) => section.fail(format!("{lane}{message}"), by_hand),
    }
}

/// Whom a job calls that is not the database.
fn calls(job: &str) -> Option<&'static str> {
    match job {
        "refresh-npi" => Some("the provider registry"),
        "sync-practiceq" => Some("the PracticeQ account"),
        _ => None,
    }
}

fn tell(summary: &Summary, lane: &str, since: &str, by_hand: Option<Remedy>, section: &mut Section<'_>) {
    let (processed, failed) = summary.items;
    let skipped = summary.report["skipped"].as_u64().unwrap_or(0);
    let error = summary.error.as_ref().map(|(code, message)| format!("{message} [{code}]")).unwrap_or_default();
    let done = match processed {
        0 => "would change nothing now".to_owned(),
        1 => format!("would change 1 item now{since}"),
        _ => format!("would change {processed} items now{since}"),
    };
    let skipped = if skipped > 0 { format!(", and skip {skipped}") } else { String::new() };
    match summary.exit {
        Exit::Done if failed == 0 => section.ok(format!("{lane}{done}{skipped}")),
        Exit::Done | Exit::Partial => {
            section.warn(format!("{lane}{done}{skipped}; {failed} could not be judged or changed"), by_hand);
        }
        Exit::Brake => section.warn(format!("{lane}the brake would stop it: {error}"), by_hand),
        Exit::Deadline => {
            section.warn(format!("{lane}not known: a dry run takes more than {} s", LIMIT.as_secs()), by_hand);
        }
        _ => section.fail(format!("{lane}a dry run failed: {error}"), by_hand),
    }
}
