//! `rounds resume`: ends a pause, or accepts that this is another database than the recorded one.

use clap::{ArgGroup, Args};
use serde_json::json;
use tokio_postgres::Transaction;

use super::lasting::{Lasting, Scope, reason, sentence};
use crate::command::{CommandContext, Moment, Operation, Output, held};
use crate::db::identity::Identities;
use crate::db::{dropped, statements};
use crate::error::{Error, ErrorKind};
use crate::output::{counted, folded, local_stamp, stamp};
use crate::run::count;
use crate::schedule::ZoneArgs;
use crate::time_zone::Tz;

statements! {
    BACKLOG(BOOL, TEXT) = include_str!("backlog.sql");
    // $1 job_name text or NULL · $2 lane text or NULL · $3 now timestamptz · $4 actor text · $5 reason text or NULL
    RESUME(TEXT, TEXT, TIMESTAMPTZ, TEXT, TEXT) =
        "UPDATE pauses p SET resumed_at = $3, resumed_by = $4, resume_reason = $5
         WHERE p.resumed_at IS NULL AND (p.until IS NULL OR p.until > $3)
           AND p.job_name IS NOT DISTINCT FROM $1 AND p.lane IS NOT DISTINCT FROM $2";
}

/// End a pause; or say that a restored backup is the clinic's database
///
/// It ends what `rounds pause` was called with: --all leaves the pauses of single jobs, and says which last. Needs an
/// --actor who is HOSPITAL_ADMIN of the group, without a facility.
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["job", "all", "restored"]))]
pub struct ResumeArgs {
    /// A job with all its lanes, or job-lane, as it was paused
    #[arg(value_name = "JOB")]
    job: Option<String>,
    /// Everything that `rounds pause --all` stopped
    #[arg(long)]
    all: bool,
    /// The jobs that tell people: this database, which is another one than that in which they ran, is the clinic's
    #[arg(long)]
    restored: bool,
    /// End the messages that the backup holds and that wait to be sent, with --restored: they may have been sent already
    #[arg(long, requires = "restored")]
    discard_pending: bool,
    /// Why, in a few words without a patient's data: kept with the pause
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true, value_parser = reason)]
    reason: Option<String>,
    #[command(flatten)]
    zone: ZoneArgs,
}

impl Operation for ResumeArgs {
    const NAME: &'static str = "resume";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let zone = self.zone.zone()?;
        let dry = context.not_changed();
        let mut json = json!({ "ok": true, "dry_run": context.args.dry_run });
        if self.restored {
            let accepted = context.act(async |tx, moment| {
                let difference = accept(tx, moment).await?;
                let row = BACKLOG.one(tx, &[&self.discard_pending, &moment.actor.id.as_str()]).await?;
                Ok((difference, count(&row, "waiting"), count(&row, "ended")))
            });
            let (Moment { now, actor }, (difference, waiting, ended)) = accepted.await?;
            json["accepted"] = difference.as_str().into();
            json["pending_messages"] = waiting.into();
            json["discarded_messages"] = ended.into();
            let (user, at) = (&actor.id, local_stamp(now, zone));
            let mut text =
                format!("This is the clinic's database now{dry} ({difference}), says user {user} at {at}.\n");
            text += &match (waiting, self.discard_pending) {
                (0, _) => "It holds no message that waits to be sent.\n".to_owned(),
                (_, true) => format!("{} of the backup ended, unsent (EXPIRED, RESTORED).\n", messages(ended)),
                (_, false) => format!(
                    "{} of the backup will be sent, as far as they are younger than --max-age of deliver-notifications; \
                     they may have been sent already. With --discard-pending they would have ended.\n",
                    messages(waiting)
                ),
            };
            return Ok(Output::done(json, folded(&text)));
        }
        let (Moment { now, actor }, (scope, lasting)) =
            context.act(async |tx, moment| self.end(tx, zone, moment).await).await?;
        let mut text = format!("Resumed{dry}: {}, by user {} at {}.\n", scope.name(), actor.id, local_stamp(now, zone));
        if !lasting.is_empty() {
            text += &format!("Still paused: {}.\n", sentence(&lasting, zone));
        }
        json["job"] = json!(scope.job);
        json["lane"] = json!(scope.lane);
        json["resumed_by"] = json!(actor.id);
        json["resumed_at"] = stamp(now).into();
        json["still_paused"] = lasting.iter().map(Lasting::json).collect();
        Ok(Output::done(json, folded(&text)))
    }
}

impl ResumeArgs {
    /// Whether it has to know the names of the schedule.
    pub fn names_a_job(&self) -> bool {
        self.job.is_some()
    }

    /// What the name stands for. The name of a pause that lasts is one, too: its lane may have left the schedule since.
    fn scope(&self, lasting: &[Lasting]) -> Result<Scope, Error> {
        let Some(name) = &self.job else { return Ok(Scope::ALL) };
        let is_its = |scope: &&Scope| **scope != Scope::ALL && scope.name() == *name;
        let paused = lasting.iter().map(|pause| &pause.scope).find(is_its);
        paused.map_or_else(|| Scope::named(name), |scope| Ok(scope.clone()))
    }

    /// Ends the pause, and returns what it was of, and those that last.
    async fn end(
        &self,
        tx: &Transaction<'_>,
        zone: Tz,
        Moment { now, actor }: &Moment,
    ) -> Result<(Scope, Vec<Lasting>), Error> {
        actor.require_group("resuming a job")?;
        let before = Lasting::all(tx, *now).await?;
        let scope = self.scope(&before)?;
        let Scope { job, lane } = &scope;
        let ended = RESUME.execute(tx, &[job, lane, now, &actor.id.as_str(), &self.reason]).await;
        let ended = ended.map_err(|error| held(error, format_args!("the pause of {}", scope.name())))?;
        let (own, lasting): (Vec<_>, Vec<_>) = before.into_iter().partition(|pause| pause.scope == scope);
        match (ended, own.is_empty()) {
            (1.., _) => Ok((scope, lasting)),
            (_, false) => Err(dropped("pauses", 0, 1).context("nothing was changed")),
            (_, true) => {
                let others = match lasting.is_empty() {
                    true => "nothing is".to_owned(),
                    false => format!("paused are {}", sentence(&lasting, zone)),
                };
                let message = format!("{} is not paused; {others}; nothing was changed", scope.name());
                Err(Error::new("NOT_PAUSED", ErrorKind::Other, message))
            }
        }
    }
}

fn messages(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "message")
}

/// Records this database as the one in which people are told. Returns what differed.
async fn accept(tx: &Transaction<'_>, Moment { actor, .. }: &Moment) -> Result<String, Error> {
    actor.require_group("resuming a restored database")?;
    let identities = Identities::read_anyhow(tx).await?;
    let Some(difference) = identities.difference() else {
        let message = "this is the database in which the jobs ran; nothing waits for a word, and nothing was changed";
        return Err(Error::new("NOT_RESTORED", ErrorKind::Other, message));
    };
    let accepted = identities.now.accept(tx, Some(&actor.id)).await;
    match accepted.map_err(|error| held(error, "the identity of the database"))? {
        true => Ok(difference),
        false => Err(dropped("database_identity", 0, 1).context("nothing was changed")),
    }
}
