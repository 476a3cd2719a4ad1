//! The jobs, one folder each. No job imports another. The table below registers them.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use crate::command::{GlobalArgs, Mode as _, run_operation};
use crate::db::{Db, Listed};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::metrics::Metrics;
use crate::run::{self, CommonArgs, Job, JobArgs, Summary};
use crate::schedule::{self, FileArgs, Row};

/// Registers jobs, each as `folder::Type;`, or as `folder::Type, mode file::Mode;` if an option selects an operator
/// command. One line declares the module, the sub-command, the dispatch and the statements. It does not compile if the
/// job has no row in the schedule.
macro_rules! jobs {
    ($($module:ident::$job:ident $(, mode $file:ident::$mode:ident)?;)*) => {
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

        /// Rehearses a lane: a dry run with the options that its scheduler gives. The error says why it cannot be.
        pub async fn rehearse(row: &Row, common: CommonArgs, db: Db) -> Result<Lookout, String> {
            match row.job {
                $(<$module::$job as Job>::NAME => {
                    let args = JobArgs::<$module::$job>::scheduled(row.args, common)?;
                    Ok(lookout(&args, db).await)
                })*
                _ => Err(format!("there is no job {}", row.job)),
            }
        }

        /// The lane of the runs that a row of the schedule starts. The error says why its arguments are wrong.
        fn lane_of(row: &Row) -> Result<String, String> {
            match row.job {
                $(<$module::$job as Job>::NAME => {
                    let args = JobArgs::<$module::$job>::scheduled(row.args, CommonArgs::default())?;
                    Ok(args.job.lane())
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
                        $(let args = match $module::$file::$mode::of(args) {
                            Ok(mode) => return run_operation(&mode, global).await,
                            Err(args) => args,
                        };)?
                        start(&args, global).await
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
    mark_no_shows::MarkNoShows;
    stage_alerts::StageAlerts;
    escalate_sla::EscalateSla, mode explain::Explain;
    monitor_ticket_sla::MonitorTicketSla;
    escalate_tickets::EscalateTickets;
    advance_billing::AdvanceBilling, mode stages::Stages;
    refresh_npi::RefreshNpi, mode list::List;
    sync_practiceq::SyncPracticeq;
    prune::Prune;
}

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

/// What a job would do now.
pub struct Lookout {
    pub summary: Summary,
    /// Now, and the instant since which the oldest item is due, where the job can say it.
    pub oldest: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

async fn lookout<J: Job + Args>(args: &JobArgs<J>, db: Db) -> Lookout {
    let summary = run::execute(&args.job, &args.run, Ok(db.clone())).await;
    let oldest = match summary.now {
        Some(now) => run::oldest_due(&args.job, now, &db).await.ok().flatten().map(|due| (now, due)),
        None => None,
    };
    Lookout { summary, oldest }
}

/// Runs a job once, prints its report, and writes its metrics.
async fn start<J: Job + Args>(args: &JobArgs<J>, global: &GlobalArgs) -> Exit {
    let db = Db::open(&global.database, &format!("rounds/{}", J::NAME));
    let summary = run::execute(&args.job, &args.run, db).await;
    let exit = global.output.print(summary.exit, || summary.text(), || summary.json());
    let is_scheduled = schedule::rows(J::NAME).any(|row| row.lane == summary.lane);
    let job = schedule::name(J::NAME, if is_scheduled { &summary.lane } else { "" });
    let (processed, failed) = summary.items;
    let healthy = matches!(summary.exit, Exit::Done | Exit::Partial | Exit::Busy);
    let run = Some([summary.duration_ms, processed, failed]);
    global.metrics.write(&[Metrics { job, healthy, run }]);
    exit
}
