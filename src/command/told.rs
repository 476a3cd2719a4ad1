//! What is told of a run to those who watch the jobs.

use opentelemetry::KeyValue;
use uuid::Uuid;

use crate::clients::ping::{End, PingArgs, Switch};
use crate::exit::Exit;
use crate::output::metrics::{By, Figures, Told};
use crate::output::telling::Telling;
use crate::run::{RESTORED, Summary};
use crate::schedule;
use crate::{systemd, trace};

/// What is told of a run; None of one that says nothing of a lane of the schedule.
pub fn of(summary: &Summary) -> Option<Told> {
    let is_scheduled = schedule::has(summary.job, &summary.lane);
    if !is_scheduled && schedule::has(summary.job, "") {
        // A run of one facility says nothing of the scheduled lane, which has the name of the job alone.
        return None;
    }
    let name = schedule::name(summary.job, if is_scheduled { &summary.lane } else { "" });
    let (processed, failed) = summary.items;
    let figures = Figures { duration_ms: summary.duration_ms, processed, failed, notifications: summary.notifications };
    let is_lasting = is_scheduled && !summary.dry_run;
    Some(Told {
        name,
        lane: is_lasting.then(|| (summary.job.to_owned(), summary.lane.clone())),
        healthy: is_healthy(summary),
        by: if summary.status == "SKIPPED" { By::Skipped(figures) } else { By::Run(figures) },
        oldest_pending_seconds: None,
    })
}

/// The switch of a lane of the schedule, if there is one; it is told of the start of a run.
pub fn switch(ping: &PingArgs, job: &str, lane: &str, started: Option<Uuid>) -> Option<Switch> {
    let switch = schedule::has(job, lane).then(|| ping.switch(&schedule::name(job, lane))).flatten()?;
    started.inspect(|run| switch.start(*run));
    Some(switch)
}

/// Says the last word about a run to the switch that knows of its start, or to one that does not, where it had none.
pub fn end(started: Option<Switch>, summary: &Summary, ping: &PingArgs) -> Option<Telling> {
    if summary.dry_run {
        return None;
    }
    let end = match (is_healthy(summary), summary.status, &started) {
        (false, ..) => End::Badly(summary.exit as u8),
        (true, "SKIPPED", None) => End::Skipped,
        (true, ..) => End::Well,
    };
    let switch = started.or_else(|| switch(ping, summary.job, &summary.lane, None))?;
    Some(switch.end(end, summary.run_id, words(summary)))
}

/// Says the verdict of a command on all lanes.
pub fn say_verdict(switch: Switch, exit: Exit, told: &[Told]) -> Telling {
    let unhealthy: Vec<&str> = told.iter().filter(|one| !one.healthy).map(|one| one.name.as_str()).collect();
    let end = if exit == Exit::Done { End::Well } else { End::Badly(exit as u8) };
    let body = if unhealthy.is_empty() { "healthy".to_owned() } else { format!("unhealthy: {}", unhealthy.join(", ")) };
    switch.end(end, None, body)
}

/// Ends the trace of a run, and tells systemd that it is over.
pub fn end_trace(summary: &Summary, source: &'static str) {
    let Summary { job, lane, run_id, status, exit, items: (processed, failed), .. } = summary;
    let attributes = || {
        let mut attributes = vec![
            KeyValue::new("rounds.job", *job),
            KeyValue::new("rounds.lane", lane.clone()),
            KeyValue::new("rounds.source", source),
            KeyValue::new("rounds.run.status", *status),
            KeyValue::new("rounds.dry_run", summary.dry_run),
            KeyValue::new("rounds.items.processed", *processed as i64),
            KeyValue::new("rounds.items.failed", *failed as i64),
            KeyValue::new("process.exit.code", i64::from(*exit as u8)),
        ];
        attributes.extend(run_id.map(|id| KeyValue::new("rounds.run.id", id.to_string())));
        attributes.extend(summary.error.as_ref().map(|(code, _)| KeyValue::new("rounds.error_code", code.clone())));
        attributes
    };
    let code = summary.error.as_ref().map_or(*status, |(code, _)| code);
    trace::end(attributes, Some(code).filter(|_| !is_healthy(summary)));
    let ended = || format!("STOPPING=1\nSTATUS={job}{} {status}, exit {}", summary.lane_suffix(), *exit as u8);
    systemd::notify(ended);
}

/// A run in a few words for a server of others: counts and a code, no id of a row and no message.
fn words(summary: &Summary) -> String {
    let Summary { job, status, exit, duration_ms, items: (processed, failed), .. } = summary;
    let mut text = format!("{job} {status}, exit {}, in {duration_ms} ms\n", *exit as u8);
    if let Some((code, _)) = &summary.error {
        text.push_str(&format!("[{code}]\n"));
    }
    text.push_str(&format!("processed {processed}, failed {failed}\n"));
    let counts = summary.report.as_object().into_iter().flatten().filter(|(_, value)| value.is_u64());
    counts.for_each(|(name, value)| text.push_str(&format!("{} {value}\n", name.replace('_', " "))));
    text
}

/// As `health` says it: who waits for a word does not work.
fn is_healthy(summary: &Summary) -> bool {
    let is_restored = summary.error.as_ref().is_some_and(|(code, _)| code == RESTORED);
    !is_restored && matches!(summary.exit, Exit::Done | Exit::Partial | Exit::Busy)
}
