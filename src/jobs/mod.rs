//! The jobs, one folder each. No job imports another. The table below registers them.

use clap::{Args, Subcommand};

use crate::command::{GlobalArgs, Mode as _, run_operation};
use crate::db::{Db, Listed};
use crate::exit::Exit;
use crate::output::metrics::Metrics;
use crate::run::{self, Job, JobArgs};
use crate::schedule;

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
            concat!(stringify!($job), " has no row in src/schedule/mod.rs"),
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
