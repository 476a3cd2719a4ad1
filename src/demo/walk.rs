//! The day itself: at each stop the clinic's people have acted, both jobs run, and the story is checked.

use crate::time_zone::Tz;
use anyhow::{Context, anyhow, ensure};
use chrono::{DateTime, TimeDelta, Utc};

use super::clinic::Clinic;
use super::clock::instant;
use super::page::{Look, Page};
use super::{show, staff, story};
use crate::command::explain::ExplainArgs;
use crate::jobs::mark_no_shows::MarkNoShows;
use crate::jobs::stage_alerts::{Basis, StageAlerts};
use crate::output::counted;
use crate::run::{self, FacilityArgs, Job, RunArgs, Summary};

/// The New York times at which there is something to see. A scheduler would run both jobs every five minutes.
const STOPS: [&str; 14] = [
    "08:00", "09:00", "09:05", "09:10", "09:15", "09:20", "09:25", "09:30", "10:10", "11:00", "12:00", "12:10",
    "15:30", "18:00",
];
/// The stop at which the database refuses one visit.
const REFUSAL: &str = "10:10";

/// Plays the day from stop to stop.
pub async fn walk(page: &Page, clinic: &Clinic, options: &RunArgs) -> anyhow::Result<()> {
    // The earlier days, and the visits that were called off in the night, are played at once.
    let mut since = instant("07:00");
    staff::play(clinic.client(), since - TimeDelta::days(60), since).await?;
    for at in STOPS {
        let now = instant(at);
        page.heading(&clocks(now))?;
        if at == "11:00" {
            page.line("At 10:40 the broken trigger of the old application was repaired.")?;
            staff::repair_old_application(clinic).await?;
        }
        let played = staff::play(clinic.client(), since, now).await?;
        page.line(page.paint(Look::Dim, &format!("in between: {played}")))?;
        run_jobs(page, clinic, &options.replay(now), u64::from(at == REFUSAL))
            .await
            .with_context(|| format!("at {at}"))?;
        story::tell(page, clinic, at).await?;
        if at == "12:10" {
            page.heading(&clocks(now + TimeDelta::minutes(2)))?;
            staff::book_walk_in(clinic).await?;
            page.line("No run: a patient without an appointment asks for one, and the front desk finds a free slot.")?;
            story::tell(page, clinic, "12:12").await?;
        }
        since = now;
    }
    Ok(())
}

fn clocks(now: DateTime<Utc>) -> String {
    let local = |zone: Tz| now.with_timezone(&zone).format("%H:%M");
    format!("{} in New York · {} in Denver", local(Tz::NEW_YORK), local(Tz::DENVER))
}

/// Runs both jobs, each with a pool of its own as in a process of its own, and shows what they did. `refused` visits
/// must fail.
async fn run_jobs(page: &Page, clinic: &Clinic, options: &RunArgs, refused: u64) -> anyhow::Result<()> {
    let mark = MarkNoShows { lookback_days: 7, only: FacilityArgs::default(), asked: ExplainArgs::default() };
    let alert = StageAlerts {
        basis: Basis::Arrival,
        no_vitals_minutes: 5,
        no_doctor_minutes: 10,
        waiting_minutes: None,
        lookback_days: 1,
        only: FacilityArgs::default(),
        asked: ExplainArgs::default(),
    };
    let marked = execute(clinic, &mark, options, refused).await?;
    let alerted = execute(clinic, &alert, options, 0).await?;
    if show::nothing_due(&marked) && show::nothing_due(&alerted) {
        let both = format!("{} and {}", marked.job, alerted.job);
        return Ok(page.line(format!("{}: nothing was due", page.paint(Look::Bold, &both)))?);
    }
    show::run(page, clinic, &marked).await?;
    show::run(page, clinic, &alerted).await
}

/// Runs one job. The story says on how many visits it must fail.
async fn execute<J: Job>(clinic: &Clinic, job: &J, options: &RunArgs, to_fail: u64) -> anyhow::Result<Summary> {
    let name = J::NAME;
    let summary = run::execute(job, options, clinic.open(&format!("rounds/{name}"))).await;
    if let Some((code, message)) = &summary.error {
        return Err(anyhow!("{name} ended {}: {message} [{code}]", summary.status));
    }
    let failed = summary.report["failed"].as_u64().unwrap_or(0);
    ensure!(failed == to_fail, "{name} was to fail on {}, and failed on {failed}", counted(to_fail, "visit"));
    Ok(summary)
}
