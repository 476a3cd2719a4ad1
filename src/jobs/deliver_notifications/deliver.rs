//! The steps of a run: what dead runs left, what is too old, and then page after page of what is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::due::Due;
use super::follow_up::FollowUp;
use super::gateway::Gateway;
use super::outgoing::Outgoing;
use super::pages::{Pages, ToBeTold};
use super::report::Report;
use super::settle::{Decided, Outcome};
use super::sought::Search;
use super::{stranded, told};
use crate::clients::provider::Provider as _;
use crate::db::statements;
use crate::run::{Halt, WriteOptions, count};

statements! {
    EXPIRE_OLD(TEXT, TIMESTAMPTZ, TIMESTAMPTZ, INT8) = include_str!("expire_old.sql");
}

/// A run ends in order so long before its deadline: a request may take that long.
const LAST_ORDERS: Duration = Duration::from_secs(50);
/// A run from its brake to its end.
pub struct Delivery<'a>(pub Pages<'a>);

impl Delivery<'_> {
    pub async fn deliver(self, report: &mut Report) -> Result<(), Halt> {
        let Pages { job, run, policy, templates, .. } = &self.0;
        let (channel, limit) = (job.channel, run.scan_limit());
        let due = run
            .read("counting the messages that are due", async |tx| {
                Due::count(tx, channel, run.now, policy.oldest, limit).await
            })
            .await?;
        run.brake(due).await?;
        if run.dry_run() {
            return self.rehearse(report).await;
        }
        let gateway = job.gateway()?;
        let search = Search { gateway, templates, channel, country: job.country };
        let (settled, uncertain) = stranded::settle(run, search, self.0.now()).await?;
        report.settled = settled;
        for id in uncertain {
            warn!(run_id = %run.id, id, error_code = stranded::RUN_ENDED, "notification {id} may have been sent");
            report.scanned += 1;
            report.not_done.fail("notification", id, stranded::RUN_ENDED);
        }
        told::note_again(run, channel, self.0.now()).await?;
        self.expire_old(report).await?;
        Outgoing::new(&self.0, gateway.clone(), self.last_orders()).send_all(report).await?;
        if gateway.reports() { self.follow_up(gateway.clone(), report).await } else { Ok(()) }
    }

    /// Asks what became of messages of earlier runs.
    async fn follow_up(&self, gateway: Arc<Gateway>, report: &mut Report) -> Result<(), Halt> {
        let Pages { job, run, templates, .. } = &self.0;
        let follow_up = FollowUp {
            run,
            gateway,
            templates,
            channel: job.channel,
            country: job.country,
            slots: job.concurrency as usize,
            per_second: job.per_second,
            until: self.last_orders(),
        };
        let told = follow_up.ask(|| self.0.now()).await?;
        (report.asked, report.delivered, report.found) = (told.asked, told.delivered, told.found);
        for (id, code) in told.failed {
            report.scanned += 1;
            report.not_done.fail("notification", id, &code);
        }
        Ok(())
    }

    /// After it nothing leaves.
    fn last_orders(&self) -> Instant {
        let time_limit = self.0.run.time_limit;
        self.0.began + time_limit.saturating_sub(LAST_ORDERS).max(time_limit / 2)
    }

    /// Ends what is too old to be sent, also in a first run that finds a backlog.
    async fn expire_old(&self, report: &mut Report) -> Result<(), Halt> {
        let Pages { job, run, policy, .. } = &self.0;
        let (mut too_old, rows) = (0, run.batch_rows() as i64);
        loop {
            let row = run
                .write("ending messages that are too old", WriteOptions::BATCH, async |tx| {
                    EXPIRE_OLD.one(tx, &[&job.channel.stored(), &run.now, &policy.oldest, &rows]).await
                })
                .await?;
            let ended = count(&row, "ended");
            report.expired += ended;
            too_old += count(&row, "too_old");
            if ended < rows.unsigned_abs() {
                break;
            }
        }
        if too_old > 0 {
            let age = humantime::format_duration(job.max_age);
            warn!(run_id = %run.id, messages = too_old, "{too_old} messages older than {age} were not sent (--max-age)");
        }
        Ok(())
    }

    /// What would become of all that is due; nothing is sent.
    async fn rehearse(&self, report: &mut Report) -> Result<(), Halt> {
        let (mut seen, mut told): (Vec<i64>, _) = (vec![], ToBeTold::new());
        while (seen.len() as i64) < self.0.run.scan_limit() {
            let page = self.0.next(&seen, &mut told).await?;
            for (due, verdict) in page.judged {
                seen.push(due.id);
                report.scanned += 1;
                match Outcome::of_verdict(due.id, verdict) {
                    Decided::Leaves(_) => report.sent += 1,
                    Decided::Stays(outcome) => report.note(&outcome),
                }
            }
            if page.is_last {
                break;
            }
        }
        Ok(())
    }
}
