//! `rounds seed`: fills a database of one's own with the clinic of the demo, so that there is something to decide.
//!
//! Rule: the database is filled if and only if none of its tables in our schema has a row, but for those that `rounds
//! migrate` writes. The tables are made where they are not there. All is one transaction: everything, or nothing.
//!
//! Safe to run again: a database that is filled has rows, and is refused.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};
use clap::Args;
use serde_json::{Map, Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use super::cast::{self, When};
use super::chapters::CASTS;
use super::staff;
use crate::arg;
use crate::command::{GlobalArgs, refuse};
use crate::db::{CLOCK, Db, SchemaName, quoted};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::ops::migrate;
use crate::time_zone::Tz;

const NAME: &str = "seed";
/// The tables in which `rounds migrate` leaves rows.
const FILLED_BY_MIGRATE: [&str; 9] = [
    "actor_rule",
    "api_budgets",
    "database_identity",
    "practiceq_state",
    "rounds_clinic_migrations",
    "rounds_migrations",
    "rounds_schema",
    "surgical_case_statuses",
    "surgical_case_transitions",
];
/// What is counted of the clinic.
const COUNTED: [&str; 6] = ["facilities", "doctors", "patients", "appointments", "tickets", "px_cases"];

/// Fill an empty database with the clinic of the demo: tables where there are none, staff, visits, cases, tickets
#[derive(Args, Debug)]
pub struct SeedArgs {
    /// The day of the visits, such as 2026-03-02; people have come and gone until now [default: today in New York]
    #[arg(long, value_name = "DATE", value_parser = day)]
    day: Option<NaiveDate>,
}

fn day(text: &str) -> Result<NaiveDate, String> {
    let day = arg::day(text)?;
    if (2000..=2100).contains(&day.year()) { Ok(day) } else { Err("must be from 2000-01-01 to 2100-12-31".to_owned()) }
}

pub async fn command(args: &SeedArgs, global: &GlobalArgs) -> Exit {
    match seed(args, global).await {
        Ok(seeded) => global.output.print(Exit::Done, || seeded.text(), || seeded.json()),
        Err(error) => {
            let error = error.context("nothing was filled");
            refuse(NAME, &error, &global.output)
        }
    }
}

/// What was filled.
struct Seeded {
    day: NaiveDate,
    dry_run: bool,
    migrations: usize,
    rows: Vec<(&'static str, i64)>,
}

impl Seeded {
    fn json(&self) -> Value {
        let rows: Map<String, Value> =
            self.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        json!({ "ok": true, "dry_run": self.dry_run, "day": self.day, "migrations": self.migrations, "rows": rows })
    }

    fn text(&self) -> String {
        let rows: Vec<String> =
            self.rows.iter().map(|(table, rows)| format!("{rows} {}", table.replace('_', " "))).collect();
        let dry = if self.dry_run { " (dry run: nothing was changed)" } else { "" };
        format!(
            "The clinic of the demo is there{dry}, on {}: {}.\nNext: rounds mark-no-shows --dry-run --list\n",
            self.day,
            rows.join(", ")
        )
    }
}

async fn seed(args: &SeedArgs, global: &GlobalArgs) -> Result<Seeded, Error> {
    let common = &global.common;
    common.check()?;
    let db = Db::open(&global.database, "rounds/seed")?;
    let mut connection = db.client().await?.alone();
    let tx = migrate::LIMITS.begin(&mut connection).await?;
    let migrations = migrate::apply_within(&tx, db.schema()).await?;
    refuse_rows(&tx, db.schema()).await?;
    let now = match common.as_of {
        Some(now) => now,
        None => CLOCK.one(&tx, &[]).await?.get(0),
    };
    let day = args.day.unwrap_or_else(|| now.with_timezone(&Tz::NEW_YORK).date_naive());
    fill(&tx, When { day, now }).await?;
    let mut rows = vec![];
    for table in COUNTED {
        let count = cast::rows(&tx, &format!("SELECT count(*) FROM {table}"), &[]).await?;
        rows.push((table, count.first().map_or(0, |row| row.get(0))));
    }
    if common.dry_run {
        tx.rollback().await?
    } else {
        tx.commit().await?
    }
    Ok(Seeded { day, dry_run: common.dry_run, migrations: migrations.len(), rows })
}

/// Refuses a database with rows, and names the tables.
async fn refuse_rows(tx: &Transaction<'_>, schema: &SchemaName) -> Result<(), Error> {
    let names = "
        SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1";
    let mut filled = vec![];
    for row in cast::rows(tx, names, &[(&schema.as_str(), Type::TEXT)]).await? {
        let name: String = row.get(0);
        let any = format!("SELECT FROM {}.{} LIMIT 1", schema.quoted(), quoted(&name));
        if !FILLED_BY_MIGRATE.contains(&name.as_str()) && !cast::rows(tx, &any, &[]).await?.is_empty() {
            filled.push(name);
        }
    }
    if filled.is_empty() {
        return Ok(());
    }
    let message = format!(
        "schema {schema} is not empty, there are rows in {}: use an empty database, or another --schema",
        filled.join(", ")
    );
    Err(Error::new("NOT_EMPTY", ErrorKind::Refused, message))
}

/// Fills the clinic, and plays what its people have done by now.
async fn fill(tx: &Transaction<'_>, when: When) -> Result<(), Error> {
    when.open(tx).await?;
    when.book(tx).await?;
    for cast in CASTS {
        when.put(tx, cast).await?;
    }
    let before: DateTime<Utc> = (when.day - Days::new(60)).and_time(NaiveTime::MIN).and_utc();
    staff::play(tx, before, when.now).await?;
    cast::finish(tx).await?;
    // Only the demo plays on.
    cast::run(tx, "DROP TABLE pg_temp.demo_script").await
}
