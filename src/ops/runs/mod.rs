//! `rounds runs`: lists runs with their outcome, shows one run with its arguments, its report and its failed items, and
//! counts all runs since ever.

mod shape;
mod stats;
mod watch;
pub mod which;

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::arg::positive_duration;
use crate::clinic::local_time::before;
use crate::command::limit::{self, LimitArgs};
use crate::command::{CommandContext, GlobalArgs, Operation, Output, listing, run_operation, shown, value_name};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::table::{kept, minor};
use crate::output::{counted, local_minute, local_stamp, stamp};
use crate::schedule::{self, ZoneArgs};
use crate::time_zone::Tz;
use shape::{job, run};
use which::{Which, which};

statements! {
    of stats, watch, which;
    LIST(TEXT, TEXT, TIMESTAMPTZ, INT8) = include_str!("list.sql");
    SHOW(UUID) = include_str!("show.sql");
    ERRORS(UUID, INT8) = "SELECT entity, entity_id, error_code, message FROM cron_job_run_errors WHERE run_id = $1
                          ORDER BY id LIMIT $2";
    REFUSED(UUID) = include_str!("refused.sql");
}

/// The maximum number of failed items of a run that are shown.
const ERRORS_SHOWN: i64 = 1000;

/// Look at what ran
#[derive(Args, Debug)]
pub struct RunsArgs {
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(Subcommand, Debug)]
enum RunsCommand {
    #[command(flatten)]
    Look(LookCommand),
    Watch(watch::WatchArgs),
}

#[derive(Subcommand, Debug)]
enum LookCommand {
    /// List runs, the newest first
    List(ListArgs),
    Show(ShowArgs),
    Stats(stats::StatsArgs),
}

/// Show one run: its arguments, its report, its failed items
#[derive(Args, Debug)]
struct ShowArgs {
    /// The id, as reports, logs and `rounds runs list` show it, or its beginning; or latest
    #[arg(value_name = "RUN_ID", value_parser = which)]
    run: Which,
    /// Only a run of this job: all its lanes, or job-lane
    #[arg(long, value_parser = job)]
    job: Option<String>,
    #[command(flatten)]
    zone: ZoneArgs,
}

#[derive(Args, Debug)]
struct ListArgs {
    /// Only runs of this job: all its lanes, or job-lane
    #[arg(long, value_parser = job)]
    job: Option<String>,
    /// Only runs of this status
    #[arg(long, value_enum, ignore_case = true)]
    status: Option<Status>,
    /// Only runs that began at most this long ago
    #[arg(long, value_name = "DURATION", value_parser = positive_duration)]
    since: Option<Duration>,
    #[command(flatten)]
    limit: LimitArgs,
    #[command(flatten)]
    zone: ZoneArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    Running,
    Completed,
    Failed,
    Skipped,
}

/// Executes the command: one that watches ends by itself never, and the others at once.
pub async fn command(args: &RunsArgs, global: &GlobalArgs) -> Exit {
    match &args.command {
        RunsCommand::Watch(args) => watch::command(args, global).await,
        RunsCommand::Look(command) => run_operation(command, global).await,
    }
}

impl Operation for LookCommand {
    const NAME: &'static str = "runs";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        match self {
            Self::List(args) => list(context, args).await,
            Self::Show(args) => show(context, args).await,
            Self::Stats(args) => args.execute(context).await,
        }
    }
}

async fn list(context: &CommandContext<'_>, args: &ListArgs) -> Result<Output, Error> {
    let status = args.status.map(value_name);
    let mut rows = context
        .read(async |tx, now| {
            let since = args.since.map(|since| before(now, since));
            LIST.all(tx, &[&args.job, &status, &since, &args.limit.asked()]).await
        })
        .await?;
    let more = args.limit.take_more(&mut rows);
    let ids: Vec<Uuid> = rows.iter().map(|row| row.get("id")).collect();
    let length = which::telling(&ids);
    let zone = args.zone.zone()?;
    let at = |row: &Row| row.get::<_, DateTime<Utc>>("started_at");
    // Where all rows have one abbreviation, the header says it for them.
    let abbreviations: BTreeSet<String> = rows.iter().map(|row| zone.abbreviation(at(row)).to_string()).collect();
    let began = match abbreviations.first() {
        Some(zone) if abbreviations.len() == 1 => format!("began ({zone})"),
        _ => "began".to_owned(),
    };
    let names = [
        kept("id"),
        kept("job"),
        kept("status"),
        kept(&began),
        minor("by"),
        minor("ms"),
        "items".into(),
        "failed".into(),
        minor("code"),
    ];
    let cells = |row: &Row| {
        let (job, lane): (String, String) = (row.get("job_name"), row.get("lane"));
        vec![
            row.get::<_, Uuid>("id").to_string()[..length].to_owned(),
            schedule::name(&job, &lane),
            row.get("status"),
            match abbreviations.len() {
                1 => local_minute(at(row), zone),
                _ => local_stamp(at(row), zone),
            },
            match row.get::<_, Option<String>>("actor") {
                Some(user) => format!("user {user}"),
                None => row.get("source"),
            },
            shown(row.get::<_, Option<i64>>("duration_ms")),
            row.get::<_, i64>("items_processed").to_string(),
            row.get::<_, i64>("items_failed").to_string(),
            shown(row.get::<_, Option<String>>("error_code")),
        ]
    };
    let text = listing(&names, &rows.iter().map(cells).collect::<Vec<_>>(), "No run fits.");
    let text = text + &limit::note(more, rows.len());
    Ok(Output::done(json!({ "runs": rows.iter().map(run).collect::<Vec<_>>(), "more": more }), text))
}

async fn show(context: &CommandContext<'_>, args: &ShowArgs) -> Result<Output, Error> {
    let (row, mut errors, waits) = context
        .read(async |tx, _| {
            let id = args.run.find(tx, args.job.as_deref()).await?;
            let errors = ERRORS.all(tx, &[&id, &(ERRORS_SHOWN + 1)]).await?;
            Ok((SHOW.one(tx, &[&id]).await?, errors, REFUSED.all(tx, &[&id]).await?))
        })
        .await?;
    let more = limit::take_more(ERRORS_SHOWN, &mut errors);
    let metadata: Value = row.get("metadata");
    let mut out = run(&row);
    out.insert("heartbeat_at".into(), json!(stamp(row.get("heartbeat_at"))));
    out.insert("deadline_at".into(), json!(stamp(row.get("deadline_at"))));
    out.insert("arguments".into(), metadata["arguments"].clone());
    out.insert("report".into(), metadata["report"].clone());
    let item = |row: &Row| {
        let text = |column| row.get::<_, String>(column);
        let (entity, id) = (text("entity"), text("entity_id"));
        json!({ "entity": entity, "id": id, "error_code": text("error_code"), "message": text("message") })
    };
    let errors: Vec<Value> = errors.iter().map(item).collect();
    let refused: Vec<Value> = waits.iter().map(waiting).collect();
    let zone = args.zone.zone()?;
    let text = page(&out, &errors, zone) + more_errors(more).as_str() + &refused_text(&refused, zone);
    out.insert("errors".into(), Value::Array(errors));
    out.insert("more".into(), json!(more));
    out.insert("refused".into(), Value::Array(refused));
    Ok(Output::done(Value::Object(out), text))
}

/// What is said of failed items that are not shown.
fn more_errors(more: bool) -> String {
    let text = format!("More items than these {ERRORS_SHOWN} failed; cron_job_run_errors has all.\n");
    if more { text } else { String::new() }
}

/// The items of one kind that the run was refused with one code, as JSON.
fn waiting(row: &Row) -> Value {
    let text = |column| row.get::<_, String>(column);
    json!({
        "entity": text("entity"),
        "part": text("part"),
        "error_code": text("error_code"),
        "items": row.get::<_, i64>("items"),
        "next_try_at": stamp(row.get("next_try_at")),
    })
}

/// The items that wait since the run, as text.
fn refused_text(refused: &[Value], zone: Tz) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let names = ["entity", "part", "error_code", "items", "next_try_at"];
    let rows: Vec<_> = refused.iter().map(|row| names.map(|name| people(name, &row[name], zone)).to_vec()).collect();
    let columns = ["entity".into(), "part".into(), "code".into(), "items".into(), kept("next try")];
    format!("refused, until the next try\n{}", listing(&columns, &rows, ""))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value for a person: an instant is the time of the zone's clocks.
fn people(name: &str, value: &Value, zone: Tz) -> String {
    let is_instant = name.ends_with("_at") || name == "scheduled_for";
    let instant = value.as_str().filter(|_| is_instant).and_then(|text| text.parse::<DateTime<Utc>>().ok());
    instant.map_or_else(|| plain(value), |at| local_stamp(at, zone))
}

/// A run as text.
fn page(run: &Map<String, Value>, errors: &[Value], zone: Tz) -> String {
    let is_there = |value: &Value| !value.is_null() && value.as_str() != Some("");
    let mut text = String::new();
    for (key, value) in run.iter().filter(|(_, value)| is_there(value)) {
        match value {
            Value::Object(parts) => {
                text.push_str(&format!("{}\n", key.replace('_', " ")));
                for (key, value) in parts.iter().filter(|(_, value)| is_there(value)) {
                    text.push_str(&format!("  {:<18} {}\n", key.replace('_', " "), plain(value)));
                }
            }
            value => text.push_str(&format!("{:<18} {}\n", key.replace('_', " "), people(key, value, zone))),
        }
    }
    if !errors.is_empty() {
        let cells = |error: &Value| ["entity", "id", "error_code", "message"].map(|key| plain(&error[key])).to_vec();
        let rows: Vec<_> = errors.iter().map(cells).collect();
        let first = if rows.len() as i64 == ERRORS_SHOWN { "the first " } else { "" };
        text.push_str(&format!("{first}{}\n", counted(rows.len(), "failed item")));
        text.push_str(&listing(&["entity", "id", "code", "message"], &rows, ""));
    }
    text
}
