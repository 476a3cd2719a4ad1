//! The report that the demo leaves: what a director would read of the day.

use super::clinic::Clinic;
use super::clock::instant;
use super::page::{Look, Page};
use crate::command::{CommandContext, Operation};
use crate::ops::report::ReportArgs;
use crate::run::RunArgs;

/// The name of the page in the temporary directory. The next demo replaces it.
const NAME: &str = "rounds-demo-report.html";

/// Writes the report of the day as it was in the evening, and says where. A place that cannot be written is no reason
/// for which the demo fails.
pub async fn write(page: &Page, clinic: &Clinic, options: &RunArgs) -> anyhow::Result<()> {
    // The runs began at the times that were played.
    clinic
        .run(
            "dating the runs",
            "UPDATE cron_job_runs SET started_at = scheduled_for, heartbeat_at = scheduled_for,
                                      completed_at = scheduled_for + (completed_at - started_at)
             WHERE scheduled_for IS NOT NULL",
        )
        .await?;
    let path = std::env::temp_dir().join(NAME);
    let (db, options) = (clinic.open("rounds/report")?, options.replay(instant("18:00")));
    let context =
        CommandContext { db: &db, args: &options.common, limit: ReportArgs::LIMIT, command: ReportArgs::NAME };
    page.heading("The report")?;
    match ReportArgs::of_demo(path.clone()).execute(&context).await {
        Ok(_) => {
            page.line(format!("  A page for a browser: {}", page.paint(Look::Bold, &path.display().to_string())))?;
            page.line("  It says that jobs are late: the demo ran three of them, at a few times of the day.")?;
        }
        Err(error) => page.line(format!("  It could not be written: {}", error.message))?,
    }
    Ok(())
}
