//! `rounds adopt`: prints SQL to start from, which makes views in our schema over an application's tables.
//!
//! Rule: the output can always be run as it is. A column is taken by its name and its type; what a person has to decide
//! is marked `-- ?`, and is NULL until then. The catalog is read, no row of the application, and nothing is written. It
//! needs none of our tables, so it can be used before `rounds migrate`.

mod adapt;
mod catalog;
mod deleted;
mod draft;
mod index;
mod lacking;
mod names;
mod null_type;
mod reference;
mod source;
mod trigger;
mod wanted;

use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use crate::clinic::actor::refused;
use crate::command::{CommandContext, Operation, Output};
use crate::db::{Limits, statements};
use crate::error::Error;
use crate::jobs;
use crate::schedule;
use catalog::Catalog;
use draft::Draft;
use reference::Reference;

statements! {
    of catalog;
}

const LIMITS: Limits =
    Limits { statement: Duration::from_secs(25), lock: Duration::from_secs(2), idle: Duration::from_secs(10) };

/// Draft the views over an application's tables, as SQL to start from; it changes nothing
///
/// It prints a view for each table of the clinic that the jobs need, over the application's table and columns of that
/// name or a well-known other one. What you have to decide is marked `-- ?`. Edit the file, run it with psql, then
/// `rounds check` and each job with --dry-run.
#[derive(Args, Debug)]
pub struct AdoptArgs {
    /// The schema of the application's tables
    #[arg(long, value_name = "SCHEMA")]
    from: String,
    /// The jobs that are to work on them; all that are scheduled if none is named
    #[arg(value_name = "JOB", value_parser = clap::builder::PossibleValuesParser::new(jobs::NAMES))]
    jobs: Vec<String>,
}

impl Operation for AdoptArgs {
    const NAME: &'static str = "adopt";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let text = timeout(context.limit, self.draft(context)).await.unwrap_or_else(|_| Err(context.no_answer()))?;
        Ok(Output::bytes(text.into_bytes()))
    }
}

impl AdoptArgs {
    async fn draft(&self, context: &CommandContext<'_>) -> Result<String, Error> {
        let jobs = self.jobs();
        let reference = Reference::read();
        let wanted = wanted::wanted(&jobs, &reference);
        if wanted.is_empty() {
            return Ok(format!("-- {}: no table of an application is needed.\n", jobs.join(", ")));
        }
        let mut client = context.db.client().await?;
        let tx = LIMITS.begin_reading(&mut client).await?;
        let (ours, relations) =
            (context.db.schema().as_str(), wanted.iter().map(|one| one.relation.as_str()).collect::<Vec<_>>());
        let row = catalog::SCHEMAS.one(&tx, &[&self.from, &ours, &relations]).await?;
        let others = match row.get::<_, Vec<&str>>("others") {
            none if none.is_empty() => "no other schema has any; is it the right database?".to_owned(),
            others => format!("there are some in {}", others.join(", ")),
        };
        if self.from.is_empty() {
            return Err(refused("NO_SUCH_SCHEMA", format!("--from names no schema of tables; {others}")));
        }
        if self.from.starts_with("pg_") || self.from == "information_schema" {
            let message = format!("--from: {} is a schema of the server itself, not of an application", self.from);
            return Err(refused("SYSTEM_SCHEMA", message));
        }
        if !row.get::<_, bool>("is_there") {
            return Err(refused(
                "NO_SUCH_SCHEMA",
                format!("--from: there is no schema {}, so it has no tables; {others}", self.from),
            ));
        }
        if self.from == ours {
            let message = format!("--from: {ours} is the schema of rounds itself; the views are made in it");
            return Err(refused("SAME_SCHEMA", message));
        }
        let in_the_way: Vec<&str> = row.get("in_the_way");
        if !in_the_way.is_empty() {
            let message = format!(
                "schema {ours} has tables of these names, where the views would be: {}; they are the reference set's if \
                 `rounds migrate --with-clinic-tables` made them; name another schema with --schema",
                in_the_way.join(", ")
            );
            return Err(refused("RELATION_IN_THE_WAY", message));
        }
        let catalog = Catalog::read(&tx, &self.from, row.get("quoted")).await?;
        if catalog.tables.is_empty() {
            let message = format!("--from: schema {} has no tables; {others}", self.from);
            return Err(refused("NO_TABLES", message));
        }
        let draft = Draft {
            catalog: &catalog,
            reference: &reference,
            wanted: &wanted,
            jobs: &jobs,
            is_for_all: self.jobs.is_empty(),
            schema: row.get("ours_quoted"),
            is_schema_there: row.get("ours_is_there"),
        };
        tx.rollback().await?;
        Ok(draft.text())
    }

    /// The named jobs, or all that are scheduled, in the order of the table of jobs.
    fn jobs(&self) -> Vec<&'static str> {
        let is_wanted = |job: &&str| match self.jobs.as_slice() {
            [] => schedule::has_job(job),
            named => named.iter().any(|name| name == job),
        };
        jobs::NAMES.iter().copied().filter(is_wanted).collect()
    }
}
