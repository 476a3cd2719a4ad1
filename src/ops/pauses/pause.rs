//! `rounds pause`: stops a job, a lane or everything, until a person resumes it or an instant has come.

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};
use serde_json::json;
use tokio_postgres::Transaction;

use super::lasting::{Lasting, Scope, reason};
use crate::clinic::actor::refused;
use crate::command::{CommandContext, Moment, Operation, Output, held};
use crate::db::{dropped, statements};
use crate::error::{Error, ErrorKind};
use crate::output::{folded, local_stamp, stamp};
use crate::run::instant;
use crate::schedule::ZoneArgs;
use crate::time_zone::Tz;

statements! {
    // $1 job_name text or NULL · $2 lane text or NULL · $3 now timestamptz
    END_THE_EXPIRED(TEXT, TEXT, TIMESTAMPTZ) =
        "UPDATE pauses p SET resumed_at = p.until
         WHERE p.resumed_at IS NULL AND p.until <= $3
           AND p.job_name IS NOT DISTINCT FROM $1 AND p.lane IS NOT DISTINCT FROM $2";
    // $1 job_name text or NULL · $2 lane text or NULL · $3 reason text · $4 actor text · $5 now timestamptz
    // $6 until timestamptz or NULL
    PAUSE(TEXT, TEXT, TEXT, TEXT, TIMESTAMPTZ, TIMESTAMPTZ) =
        "INSERT INTO pauses (job_name, lane, reason, paused_by, paused_at, until)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (COALESCE(job_name, ''), COALESCE(lane, '')) WHERE resumed_at IS NULL DO NOTHING";
}

/// Stop a job, or all: its runs do nothing until somebody resumes it
///
/// A scheduled run is then SKIPPED as PAUSED, and exits 0; so is one by hand, but with --even-if-paused. A run that is
/// at work stops at its next batch. `rounds health` says who has paused it and why, and raises no alarm meanwhile.
/// Needs an --actor who is HOSPITAL_ADMIN of the group, without a facility: a pause stops the job for all.
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["job", "all"]))]
pub struct PauseArgs {
    /// A job with all its lanes, or job-lane
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
    /// Why, in a few words without a patient's data: `rounds health` shows it, no run and no log does
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = reason)]
    reason: String,
    /// When it ends by itself (RFC 3339) [default: when somebody resumes it]
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<DateTime<Utc>>,
    #[command(flatten)]
    zone: ZoneArgs,
}

impl Operation for PauseArgs {
    const NAME: &'static str = "pause";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let scope = self.job.as_deref().map_or(Ok(Scope::ALL), Scope::named)?;
        let zone = self.zone.zone()?;
        let (moment, ()) = context.act(async |tx, moment| self.begin(tx, &scope, zone, moment).await).await?;
        Ok(self.output(context, &scope, zone, &moment))
    }
}

impl PauseArgs {
    /// Whether it has to know the names of the schedule.
    pub fn names_a_job(&self) -> bool {
        self.job.is_some()
    }

    async fn begin(
        &self,
        tx: &Transaction<'_>,
        scope: &Scope,
        zone: Tz,
        Moment { now, actor }: &Moment,
    ) -> Result<(), Error> {
        actor.require_group("pausing a job")?;
        if self.until.is_some_and(|until| until <= *now) {
            return Err(refused("UNTIL_PASSED", "--until has passed already; nothing was changed".to_owned()));
        }
        let Scope { job, lane } = scope;
        let what = format!("the pause of {}", scope.name());
        let begin = async || {
            END_THE_EXPIRED.execute(tx, &[job, lane, now]).await?;
            PAUSE.execute(tx, &[job, lane, &self.reason, &actor.id.as_str(), now, &self.until]).await
        };
        if begin().await.map_err(|error| held(error, what))? == 1 {
            return Ok(());
        }
        let lasting = Lasting::all(tx, *now).await?;
        let Some(pause) = lasting.iter().find(|pause| pause.scope == *scope) else {
            return Err(dropped("pauses", 0, 1).context("nothing was changed"));
        };
        let message = format!(
            "{} is paused already, {}; nothing was changed. To change it: `rounds resume {}` first",
            scope.name(),
            pause.describe(zone),
            scope.argument()
        );
        Err(Error::new("ALREADY_PAUSED", ErrorKind::Other, message))
    }

    fn output(&self, context: &CommandContext<'_>, scope: &Scope, zone: Tz, Moment { now, actor }: &Moment) -> Output {
        let dry = context.not_changed();
        let text = format!(
            "Paused{dry}: {}, by user {} at {}, {}.\nA run that is at work stops at its next batch, within seconds of \
             its next heartbeat. To go on: rounds resume {} --actor USER\n",
            scope.name(),
            actor.id,
            local_stamp(*now, zone),
            match self.until {
                Some(until) => format!("until {}", local_stamp(until, zone)),
                None => "until somebody resumes it".to_owned(),
            },
            scope.argument()
        );
        let json = json!({
            "ok": true,
            "dry_run": context.args.dry_run,
            "job": scope.job,
            "lane": scope.lane,
            "paused_by": actor.id,
            "paused_at": stamp(*now),
            "until": self.until.map(stamp),
        });
        Output::done(json, folded(&text))
    }
}
