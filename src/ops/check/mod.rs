//! `rounds check`: says whether jobs can run on this database, and what to do where they cannot.
//!
//! Rule: a job is ready if and only if none of its findings, nor of those about all jobs, is a failure.
//!
//! It changes nothing: it reads in read-only transactions, and tries each job as a dry run, which is rolled back; with
//! `--read-only` it only reads. A fault ends no check: what depends on it is left out. A signal ends it.

mod catalog;
mod columns;
mod connection;
mod finding;
mod history;
mod indexes;
mod installed;
mod outlook;
mod partly;
mod permissions;
mod reference;
mod row_security;
mod rows;
mod schema_state;
mod statements;
mod stopped;
mod supplies;
mod triggers;
mod view_text;
mod writing;

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{Instant, timeout};
use tokio_postgres::Transaction;

use crate::clinic::actor::refused;
use crate::command::{CommandContext, Operation, Output, Signals};
use crate::db::{self, Connection, Limits, SchemaName};
use crate::error::Error;
use crate::exit::Exit;
use crate::ops::schedule::{InstalledArgs, PlanArgs};
use crate::output::{self, counted, table};
use crate::schedule::{self, Row};
use crate::time_zone::Tz;
use catalog::Catalog;
use finding::{Findings, Level, Topic};

db::statements! {
    of catalog, columns, connection, indexes, permissions, row_security, rows, schema_state, supplies, triggers, writing;
}

/// The limits of what looks at the catalog and plans statements.
const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(2), idle: Duration::from_secs(10) };
/// The width of the text where stdout is no terminal.
const WIDTH: usize = 80;

/// Tell whether jobs can run here, and what to do if not: exit 0 when all are ready, 1 when not
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Only these: a job, or one lane of it as job-lane [default: all that are scheduled]
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// Only read: do not try what each job would do, which changes rows and rolls it back
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    installed: InstalledArgs,
    #[command(flatten)]
    plan: PlanArgs,
}

/// What is checked, and with which connection.
struct Check<'a> {
    rows: Vec<&'static Row>,
    jobs: Vec<&'static str>,
    schema: &'a SchemaName,
    findings: Findings,
    /// The exit of the signal that stopped it.
    stopped: Option<Exit>,
}

impl Operation for CheckArgs {
    const NAME: &'static str = "check";
    /// A dry run of each job has limits of its own.
    const LIMIT: Duration = Duration::from_secs(600);

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let rows = self.rows()?;
        let mut jobs: Vec<&'static str> = vec![];
        for row in &rows {
            if !jobs.contains(&row.job) {
                jobs.push(row.job);
            }
        }
        let mut check = Check { rows, jobs, schema: context.db.schema(), findings: Findings::default(), stopped: None };
        let plan = self.plan.plan()?;
        let differences = installed::differences(&self.installed, &plan)?;
        let look = check.look(context, plan.zone, self.read_only);
        timeout(context.limit, look).await.unwrap_or_else(|_| Err(context.no_answer()))?;
        installed::tell(differences, &check.rows, self.jobs.is_empty(), &mut check.findings);
        Ok(check.output())
    }
}

impl CheckArgs {
    /// The requested rows of the schedule.
    fn rows(&self) -> Result<Vec<&'static Row>, Error> {
        let table = schedule::table();
        if let Some(unknown) = self.jobs.iter().find(|name| !table.iter().any(|row| row.is_called(name))) {
            let known = table.iter().map(Row::name).collect::<Vec<_>>().join(", ");
            return Err(refused(
                "UNKNOWN_JOB",
                format!("no job in the schedule is called {unknown}; there are {known}"),
            ));
        }
        let named = |row: &&Row| self.jobs.is_empty() || self.jobs.iter().any(|name| row.is_called(name));
        Ok(table.iter().filter(named).collect())
    }
}

impl Check<'_> {
    async fn look(&mut self, context: &CommandContext<'_>, zone: Tz, read_only: bool) -> Result<(), Error> {
        let opened = Instant::now();
        let mut client = context.db.client().await?;
        let tx = LIMITS.begin_reading(&mut client).await?;
        let role = connection::look(&tx, context.db.target(), opened, &mut self.findings).await?;
        let state = schema_state::look(&tx, self.schema, &role, &mut self.findings).await?;
        if state.is_ours && !state.is_usable {
            let mut section = self.findings.section(None, Topic::Statements);
            section.skip("statements, indexes, rows and dry runs are not looked at: no table can be named yet");
        }
        let restored = match state.is_usable {
            true => stopped::look(&tx, &mut self.findings).await?,
            false => None,
        };
        if state.is_ours {
            self.look_at_the_jobs(&tx, &role, state.is_usable).await?;
        }
        if state.is_usable {
            history::look(&tx, &self.rows, zone, context.now(&tx).await?, &mut self.findings).await?;
            supplies::look(&tx, &self.jobs, &mut self.findings).await?;
        }
        tx.rollback().await?;
        if !state.is_usable {
            return Ok(());
        }
        self.look_at_the_rows(&mut client).await?;
        drop(client);
        // The first dry run hears signals, and from then on they end the process no more by themselves.
        let mut signals = Signals::listen().ok();
        for row in &self.rows {
            self.stopped = outlook::look(row, context, read_only, &mut signals, &mut self.findings).await;
            if self.stopped.is_some() {
                break;
            }
        }
        if let Some(difference) = restored {
            stopped::tell_restored(&difference, &self.jobs, &mut self.findings);
        }
        Ok(())
    }

    /// What the catalog and the planner say.
    async fn look_at_the_jobs(&mut self, tx: &Transaction<'_>, role: &str, is_usable: bool) -> Result<(), Error> {
        let Self { jobs, schema, findings, .. } = self;
        let catalog = Catalog::read(tx, schema, jobs).await?;
        permissions::look_at_every_run(tx, &catalog, role, findings).await?;
        if is_usable {
            statements::look_at_every_run(tx, findings).await?;
        }
        for job in jobs.iter().copied() {
            columns::look(tx, schema, &catalog, job, findings).await?;
            permissions::look(tx, schema, &catalog, role, job, findings).await?;
            writing::look(tx, &catalog, job, is_usable, findings).await?;
            partly::look(&catalog, job, findings);
            triggers::look(tx, schema, &catalog, job, findings).await?;
            row_security::look(tx, &catalog, job, findings).await?;
            if is_usable {
                let planned = statements::look(tx, &catalog, job, findings).await?;
                indexes::look(tx, &catalog, job, &planned, findings).await?;
            }
        }
        Ok(())
    }

    /// What is in the tables, each table once for all jobs.
    async fn look_at_the_rows(&mut self, client: &mut Connection) -> Result<(), Error> {
        let Self { jobs, schema, findings, .. } = self;
        rows::look(client, schema, jobs, findings).await
    }

    fn output(&self) -> Output {
        let [oks, skipped, warnings, failures] =
            [Level::Ok, Level::Skipped, Level::Warning, Level::Failure].map(|level| self.findings.count(level));
        let [warned, failed] = [counted(warnings, "warning"), counted(failures, "failure")];
        let jobs = counted(self.jobs.len(), "job");
        let last = match failures {
            _ if self.stopped.is_some() => "Stopped by a signal: not all was looked at.".to_owned(),
            0 => format!("Ready: {jobs}, {warned}."),
            _ => format!("NOT ready: {failed}, {warned}."),
        };
        let is_ready = failures == 0 && self.stopped.is_none();
        let width = table::width().unwrap_or(WIDTH);
        let text = format!("{}{last}\n", self.findings.text(&self.jobs, width, output::colour()));
        let json = json!({
            "ready": is_ready,
            "jobs": self.jobs,
            "counts": { "ok": oks, "skipped": skipped, "warning": warnings, "failure": failures },
            "findings": self.findings.json(),
        });
        Output::new(self.stopped.unwrap_or(if is_ready { Exit::Done } else { Exit::Failed }), json, text)
    }
}
