//! What a job would do now: a dry run of it, with the options that its scheduler gives.

use std::time::Duration;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::finding::{Findings, Remedy, Section, Topic};
use crate::command::{CommandContext, Signals};
use crate::exit::Exit;
use crate::jobs::{self, Lookout};
use crate::output::span;
use crate::run::Summary;
use crate::schedule::Row;

/// The time for one dry run.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks at a lane. Returns the exit of the command if a signal stopped it: during the dry run, or between two.
pub async fn look(
    row: &'static Row,
    context: &CommandContext<'_>,
    read_only: bool,
    signals: &mut Option<Signals>,
    findings: &mut Findings,
) -> Option<Exit> {
    let is_stopped = findings.stops(row.job);
    let mut section = findings.section(Some(row.job), Topic::Outlook);
    let lane = if row.lane.is_empty() { String::new() } else { format!("{}: ", row.lane) };
    let command = std::iter::once(row.job).chain(row.args.iter().copied()).collect::<Vec<_>>().join(" ");
    let by_hand = Remedy::command(format!("rounds {command} --dry-run"));
    let not_tried = match jobs::asks(row.job) {
        Some(whom) => Some(format!("it calls {whom}; `rounds {command} --dry-run` does")),
        None if read_only => Some(format!("--read-only; `rounds {command} --dry-run` does")),
        None if is_stopped => Some("what fails above comes first".to_owned()),
        None => None,
    };
    if let Some(why) = not_tried {
        section.skip(format!("{lane}not tried: {why}"));
        return None;
    }
    let mut common = context.args.clone();
    common.dry_run = true;
    common.timeout = Some(common.timeout.map_or(LIMIT, |timeout| timeout.min(LIMIT)));
    // The log lines of the dry run are not of this command.
    let rehearsal = Box::pin(jobs::rehearse(row, common, context.db.clone())).with_subscriber(NoSubscriber::default());
    match rehearsal.await {
        Ok(Lookout { summary, .. }) if matches!(summary.exit, Exit::HungUp | Exit::Interrupted | Exit::Terminated) => {
            return Some(summary.exit);
        }
        Ok(Lookout { summary, oldest }) => {
            let since = oldest.map(|(now, due)| format!(", the oldest for {}", span(now - due))).unwrap_or_default();
            tell(&summary, &lane, &since, by_hand, &mut section);
        }
        Err(message) => section.fail(format!("{lane}{message}"), by_hand),
    }
    signals.as_mut()?.heard()
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
    if let Some(why) = &summary.would_brake {
        return section.warn(format!("{lane}{done}{skipped}; the brake would stop it: {why}"), by_hand);
    }
    match summary.exit {
        Exit::Done if failed == 0 => section.ok(format!("{lane}{done}{skipped}")),
        Exit::Done | Exit::Partial => {
            section.warn(
                format!("{lane}{done}{skipped}; {failed} could not be judged or changed, or nobody could be told"),
                by_hand,
            );
        }
        Exit::Brake => section.warn(format!("{lane}the brake would stop it: {error}"), by_hand),
        Exit::Deadline => {
            section.warn(format!("{lane}not known: a dry run takes more than {} s", LIMIT.as_secs()), by_hand);
        }
        _ => section.fail(format!("{lane}a dry run failed: {error}"), by_hand),
    }
}
