//! A day of two facilities, from stop to stop: who does not come, and who waits too long.

use crate::demo::cast::When;
use crate::demo::clock::MONDAY;
use crate::demo::stage::Stage;
use crate::demo::{ledger, staff, story, walk};
use crate::run::RunArgs;

pub async fn play(stage: &Stage<'_>, options: &RunArgs) -> anyhow::Result<()> {
    let (page, clinic) = (stage.page, &stage.clinic);
    let when = When { day: MONDAY, now: stage.now };
    page.heading("No-shows: who does not come, and who waits too long")?;
    when.book(clinic.client()).await?;
    staff::install_old_application(clinic).await?;
    ledger::opening(page, clinic).await?;
    stage.say(
        "A scheduler starts mark-no-shows and stage-alerts every five minutes; here they run where there is something to \
         see. The clock and the people are played, the runs are real. Patients are numbers: no name is ever printed.",
    )?;
    walk::walk(page, clinic, options).await?;
    page.heading("Three timelines, as told")?;
    story::recap(page)?;
    ledger::monday(page, clinic).await
}
