//! The jobs, one folder each. No job imports another. The table below registers them.

use std::cell::Cell;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use serde_json::Value;
use tokio::time::timeout;
use tracing::error;
use uuid::Uuid;

use crate::clients::otlp;
use crate::command::explain::{Explain, Judge};
use crate::command::list::List;
use crate::command::{CommandContext, GlobalArgs, Mode as _, run_operation, told};
use crate::db::{Db, Key, Listed};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::folded;
use crate::output::metrics::Told;
use crate::output::telling::{BOUND, Telling, tell_within};
use crate::run::{self, CommonArgs, Job, JobArgs, Reach, Summary};
use crate::schedule::{self, FileArgs, Row};

/// Registers jobs, each as `folder::Type;`, as `folder::Type, judges row;` if it can say why it does something with a
/// row, and with `, mode file::Mode` if an option selects an operator command. One line declares the module, the
/// sub-command, the dispatch and the statements. It does not compile if the job has no row in the schedule.
macro_rules! jobs {
    (@explain $args:ident $global:ident $row:ident) => {
        match Explain::of($args) {
            Ok(mode) => return run_operation(&mode, $global).await,
            Err(args) => args,
        }
    };
    (@judges $row:ident) => { true };
    (@judges) => { false };
    (@start $args:ident $global:ident $row:ident) => { start_listing(*$args, $global).await };
    (@start $args:ident $global:ident) => { start(&$args, $global, no_list).await };
    ($($module:ident::$job:ident $(, judges $row:ident)? $(, mode $file:ident::$mode:ident)?;)*) => {
        $(pub mod $module;)*

        /// The names of the jobs, in the order of the table.
        pub const NAMES: &[&str] = &[$(<$module::$job as Job>::NAME),*];

        /// The statements of a job, beside those that every run sends; none if there is no such job.
        pub fn statements(job: &str) -> &'static [Listed] {
            match job {
                $(<$module::$job as Job>::NAME => $module::STATEMENTS,)*
                _ => &[],
            }
        }

        /// Whom a job asks beside the database, if anybody.
        pub fn asks(job: &str) -> Option<&'static str> {
            match job {
                $(<$module::$job as Job>::NAME => <$module::$job as Job>::ASKS,)*
                _ => None,
            }
        }

        /// Whether a job can say why it does something with a row.
        pub fn judges(job: &str) -> bool {
            match job {
                $(<$module::$job as Job>::NAME => jobs!(@judges $($row)?),)*
                _ => false,
            }
        }

        /// Whether a job tells people.
        pub fn tells(job: &str) -> bool {
            match job {
                $(<$module::$job as Job>::NAME => <$module::$job as Job>::TELLS,)*
                _ => false,
            }
        }

        /// Rehearses a lane: a dry run with the options that its scheduler gives. The error says why it cannot be.
        pub async fn rehearse(row: &Row, common: CommonArgs, db: Db) -> Result<Lookout, String> {
            match row.job {
                $(<$module::$job as Job>::NAME => {
                    let args = JobArgs::<$module::$job>::scheduled(row.job, row.args, common)?;
                    Ok(lookout(&args, db).await)
                })*
                _ => Err(format!("there is no job {}", row.job)),
            }
        }

        /// The lane of the runs that a row of the schedule starts. The error says why its arguments are wrong.
        fn lane_of(row: &Row) -> Result<String, String> {
            match row.job {
                $(<$module::$job as Job>::NAME => {
                    let args = JobArgs::<$module::$job>::scheduled(row.job, row.args, CommonArgs::default())?;
                    Ok(lane_asked(&args.job))
                })*
                _ => Err(format!("there is no job {}", row.job)),
            }
        }

        #[derive(Subcommand)]
        pub enum JobCommand {
            $($job(Box<JobArgs<$module::$job>>),)*
        }

        impl JobCommand {
            /// Starts the job, or its operator mode.
            pub async fn start(self, global: &GlobalArgs) -> Exit {
                match self {
                    $(Self::$job(args) => {
                        let args = Box::new(args.with(&global.common));
                        $(let args = jobs!(@explain args global $row);)?
                        $(let args = match $module::$file::$mode::of(args) {
                            Ok(mode) => return run_operation(&mode, global).await,
                            Err(args) => args,
                        };)?
                        jobs!(@start args global $($row)?)
                    })*
                }
            }
        }

        $(const _: () = assert!(
            schedule::has_job(<$module::$job as Job>::NAME),
            concat!(stringify!($job), " has no table in src/schedule/default.toml"),
        );)*
    };
}

jobs! {
    mark_no_shows::MarkNoShows, judges visit;
    stage_alerts::StageAlerts, judges visit;
    notify_cancellations::NotifyCancellations, judges visit;
    apply_absences::ApplyAbsences, judges visit;
    flag_schedule_conflicts::FlagScheduleConflicts, judges visit;
    escalate_sla::EscalateSla, judges case;
    monitor_ticket_sla::MonitorTicketSla, judges ticket;
    escalate_tickets::EscalateTickets, judges ticket;
    advance_billing::AdvanceBilling, judges case, mode stages::Stages;
    refresh_npi::RefreshNpi, mode list::List;
    sync_practiceq::SyncPracticeq;
    deliver_notifications::DeliverNotifications;
    prune::Prune;
}

/// The time limit of a list, from the end of the dry run.
const LISTING: Duration = Duration::from_secs(120);

/// Makes the clinic's schedule that of this process, if there is one. The arguments of each row make its lane.
pub fn install_schedule(args: &FileArgs) -> Result<(), Error> {
    let Some(schedule) = args.install()? else { return Ok(()) };
    for (number, row) in schedule.rows.iter().enumerate() {
        let message = match lane_of(row) {
            Ok(lane) if lane == row.lane => continue,
            Ok(lane) if lane.is_empty() => {
                format!("with these args a run of {} has no lane; it says {:?}", row.job, row.lane)
            }
            Ok(lane) => format!("with these args a run of {} has the lane {lane:?}; it says {:?}", row.job, row.lane),
            Err(message) => format!("{} does not take these args: {message}", row.name()),
        };
        return Err(schedule.refuse(number, &message));
    }
    Ok(())
}

/// The facility that the arguments name.
fn facility_asked<J: Job>(job: &J) -> Option<&Key> {
    if let Reach::Facility(facility) = job.reach() { facility } else { None }
}

/// The lane of a run with these arguments, if nobody of one facility starts it.
fn lane_asked<J: Job>(job: &J) -> String {
    run::lane_within(job.lane(), facility_asked(job))
}

/// What a job would do now.
pub struct Lookout {
    pub summary: Summary,
    /// Now, and the instant since which the oldest item is due, where the job can say it.
    pub oldest: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

async fn lookout<J: Job + Args>(args: &JobArgs<J>, db: Db) -> Lookout {
    let summary = run::execute(&args.job, &args.run, Ok(db.clone())).await;
    let oldest = match summary.now {
        Some(now) => {
            run::oldest_due(&args.job, now, facility_asked(&args.job), &db).await.ok().flatten().map(|due| (now, due))
        }
        None => None,
    };
    Lookout { summary, oldest }
}

/// Runs a job that judges rows; a dry run also lists what it would do, where that is asked for.
async fn start_listing<J: Judge + Args>(mut args: JobArgs<J>, global: &GlobalArgs) -> Exit {
    args.run.list = args.job.asked().list;
    let args = &args;
    start(args, global, async |summary: &Summary, db: &Db| {
        args.run.list?;
        let context = CommandContext { db, args: &args.run.common, limit: LISTING, command: J::NAME };
        Some(List::of(&args.job, &context, &summary.changed, summary.now?).await)
    })
    .await
}

async fn no_list(_: &Summary, _: &Db) -> Option<Result<List, Error>> {
    None
}

/// Runs a job once, prints its report, and writes its metrics.
async fn start<J: Job + Args>(
    args: &JobArgs<J>,
    global: &GlobalArgs,
    list: impl AsyncFnOnce(&Summary, &Db) -> Option<Result<List, Error>>,
) -> Exit {
    otlp::begin_trace(J::NAME);
    let db = Db::open(&global.database, &format!("rounds/{}", J::NAME));
    let switch = Cell::new(None);
    let started = |run: Uuid, lane: &str| switch.set(told::switch(&global.ping, J::NAME, lane, Some(run)));
    let summary = run::execute_watched(&args.job, &args.run, db.clone(), &started).await;
    let list = match &db {
        Ok(db) => list(&summary, db).await,
        Err(_) => None,
    };
    let exit = print(&summary, list, global);
    let began = Instant::now();
    let mut tellings: Vec<Telling> = told::end(switch.take(), &summary, &global.ping).into_iter().collect();
    told::end_trace(&summary, args.run.recorded_source().as_str());
    let mut of_lane = vec![];
    if let Some(told) = told::of(&summary) {
        let oldest_pending_seconds = waiting_seconds(&args.job, &summary, &db, global).await;
        of_lane.push(Told { oldest_pending_seconds, ..told });
    }
    tellings.extend(global.metrics.tellings(&of_lane));
    tellings.extend(otlp::tellings(&of_lane));
    tell_within(BOUND.saturating_sub(began.elapsed()), tellings);
    exit
}

/// For how long the oldest message of a lane that sends messages has been due, at the end of its run: if somebody wants
/// to know it, and the database says it in time.
async fn waiting_seconds<J: Job>(
    job: &J,
    summary: &Summary,
    db: &Result<Db, Error>,
    global: &GlobalArgs,
) -> Option<u64> {
    let is_asked = J::DELIVERS && (global.metrics.asks_what_waits() || otlp::wants_metrics());
    let (Ok(db), Some(now), true) = (db, summary.now, is_asked) else { return None };
    let now = now + Duration::from_millis(summary.duration_ms);
    let asked = timeout(BOUND / 2, run::oldest_due(job, now, facility_asked(job), db));
    let due = asked.await.ok()?.ok()?;
    Some(due.map_or(0, |due| (now - due).num_seconds().max(0).unsigned_abs()))
}

/// Prints the report of a run, and the list of what it would do. A list that was asked for and cannot be read is a
/// failure, but the report is there.
fn print(summary: &Summary, list: Option<Result<List, Error>>, global: &GlobalArgs) -> Exit {
    let (mut text, mut json, mut exit) = (folded(&summary.text()), summary.json(), summary.exit);
    match list {
        None => {}
        Some(Ok(list)) => {
            text += &list.text;
            json["list"] = list.json;
        }
        Some(Err(failed)) => {
            error!(error_code = %failed.code, "what the run would do cannot be listed: {}", failed.message);
            json["list"] = Value::Null;
            exit = if exit == Exit::Done { Exit::Failed } else { exit };
        }
    }
    global.output.print(exit, || text, || json)
}
