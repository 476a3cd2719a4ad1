//! `rounds migrate`: brings a database to this binary's schema. The migrations are in the binary; no job runs them.
//!
//! Rule: all pending migrations are applied in one transaction, or nothing is changed. A relation that is in the way is
//! named before anything is created.
//!
//! Safe to run again, and by several processes at once: with an advisory lock of the transaction one migrates, and the
//! others wait and find it done.

use std::time::Duration;

use clap::Args;
use refinery::Migration;
use serde_json::json;
use tokio_postgres::Transaction;
use tracing::{error, info, warn};

use crate::arg::{duration_within, truth};
use crate::command::GlobalArgs;
use crate::db::identity::Identities;
use crate::db::schema::{self, Set};
use crate::db::{Connection, DatabaseArgs, Db, Limits, SchemaName, statements};
use crate::error::{Error, ErrorKind};
use crate::exit::Exit;
use crate::ops::ours::{self, Comparison};
use crate::output::stamp;

statements! {
    pub(super) LOCK_SCHEMA(INT8) = "SELECT pg_advisory_xact_lock($1)";
    SCHEMA_EXISTS(TEXT) = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS known";
    APPLIED[set: Set = vec![Set::Ours, Set::Clinic]]() =
        format!("SELECT version::int, checksum::text FROM {}", set.history());
    RECORD[set: Set = vec![Set::Ours, Set::Clinic]](INT4, TEXT, TEXT, TEXT) =
        format!("INSERT INTO {} (version, name, applied_on, checksum) VALUES ($1, $2, $3, $4)", set.history());
    IN_THE_WAY(TEXT, TEXT_ARRAY) =
        // A table makes a type of its name, so another type is in its way, too.
        "SELECT x.name::text, pg_get_userbyid(x.owner)::text AS owner, x.kind
         FROM (SELECT c.relnamespace AS namespace, c.relname AS name, c.relowner AS owner,
                      CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index'
                                     WHEN 'I' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table'
                                     WHEN 'c' THEN 'composite type' ELSE 'table' END AS kind
               FROM pg_class c
               UNION ALL
               SELECT t.typnamespace, t.typname, t.typowner, 'type' FROM pg_type t WHERE t.typrelid = 0) x
         JOIN pg_namespace n ON n.oid = x.namespace
         WHERE n.nspname = $1 AND x.name = ANY ($2) ORDER BY x.kind <> 'table', x.name";
    OF_OTHERS(TEXT, TEXT_ARRAY, BOOL) =
        // Whoever only reads need not be the owner.
        "SELECT c.relname::text AS name, pg_get_userbyid(c.relowner)::text AS owner
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_database d ON d.datname = current_database()
         WHERE n.nspname = $1 AND c.relname = ANY ($2) AND pg_get_userbyid(c.relowner) <> current_user
           AND NOT ($3 AND c.relowner IN (n.nspowner, d.datdba))
         ORDER BY 1";
    IN_SCHEMA() = "SELECT current_schema()::text AS schema";
    NOW() = "SELECT clock_timestamp() AS now, quote_ident(current_database()) AS database";
}

/// The key of the advisory lock, an arbitrary number: "rounds" in ASCII.
pub(super) const LOCK: i64 = 0x0000_726f_756e_6473;
/// Each statement of a migration may take long on a large table, and nobody else holds its locks for long.
pub const LIMITS: Limits =
    Limits { statement: Duration::from_secs(3600), lock: Duration::from_secs(60), idle: Duration::from_secs(60) };

/// Bring the database to this binary's schema
#[derive(Args, Debug)]
pub struct MigrateArgs {
    /// Change nothing: list what is pending, or what is broken, and exit 1 if anything is
    #[arg(long)]
    check: bool,
    /// Also make a reference set of the clinic's tables, for a database that begins with nothing
    #[arg(long, env = "ROUNDS_WITH_CLINIC_TABLES", value_parser = truth)]
    with_clinic_tables: bool,
    /// How long to wait for another migration to end
    #[arg(long, env = "ROUNDS_LOCK_WAIT", value_name = "DURATION", default_value = "60s", value_parser = lock_wait)]
    lock_wait: Duration,
}

/// Executes the command.
pub async fn command(args: &MigrateArgs, global: &GlobalArgs) -> Exit {
    if global.common.dry_run {
        error!("migrate has no --dry-run; --check lists what is pending and changes nothing");
        return Exit::Usage;
    }
    match migrate(args, &global.database).await {
        Ok(done) => {
            let schema = &global.database.schema;
            let json = || {
                let broken = done
                    .compared
                    .faults
                    .iter()
                    .map(|fault| json!({ "what": fault.what, "remedy": fault.remedy.text() }));
                json!({ "pending": done.pending, "applied": done.applied, "broken": broken.collect::<Vec<_>>(), "notes": done.compared.notes,
                        "schema": schema::newest(), "schema_name": schema.as_str(), "search_path": done.search_path })
            };
            let faults = done.compared.faults.len();
            // What is wrong with the schema is no failure of a migration, which mends none of it.
            let is_good = done.pending.is_empty() && (!args.check || faults == 0);
            if !args.check && faults > 0 {
                warn!(error_code = "SCHEMA_DIFFERS", "{}", differing(faults));
            }
            let exit = if is_good { Exit::Done } else { Exit::Failed };
            global.output.print(exit, || if args.check { done.describe() } else { done.describe_migrated() }, json)
        }
        Err(error) => {
            error!(error_code = %error.code, "migrate: {}", error.message);
            if error.is_usage() { Exit::Usage } else { Exit::Failed }
        }
    }
}

/// Brings an empty database to this binary's schema, with the clinic's tables; returns the names of the migrations.
#[cfg(feature = "demo")]
pub async fn apply(database: &DatabaseArgs) -> Result<Vec<String>, Error> {
    let args = MigrateArgs { check: false, with_clinic_tables: true, lock_wait: Duration::from_secs(60) };
    Ok(migrate(&args, database).await?.applied)
}

/// The same within a transaction, whose end is the caller's.
#[cfg(feature = "demo")]
pub async fn apply_within(tx: &Transaction<'_>, schema: &SchemaName) -> Result<Vec<String>, Error> {
    Ok(migrate_within(tx, schema, true).await?.applied)
}

/// The names of the migrations that are still pending, and of those that were applied now.
#[derive(Default)]
struct Done {
    pending: Vec<String>,
    applied: Vec<String>,
    /// The schema that is there beside the one that should be, where nothing of ours is pending.
    compared: Comparison,
    /// The statement by which a role finds our tables without naming the schema.
    search_path: String,
}

async fn migrate(args: &MigrateArgs, database: &DatabaseArgs) -> Result<Done, Error> {
    let db = Db::open(database, "rounds migrate")?;
    let mut connection = db.client().await?.alone();
    if args.check {
        let tx = LIMITS.begin_reading(&mut connection).await?;
        schema::check_not_of_0_1(&tx).await?;
        check_own(&tx, &database.schema, &histories(), true).await?;
        let pending = Pending::find(&tx, &database.schema, args.with_clinic_tables).await?;
        let is_whole = pending.0.iter().all(|(set, _)| *set != Set::Ours);
        let compared = if is_whole { ours::compare(&tx, &database.schema).await? } else { None };
        return Ok(Done { pending: pending.names(), compared: compared.unwrap_or_default(), ..Done::default() });
    }
    let context = |error: Error| error.context("the schema was not migrated, and nothing was changed");
    migrate_in_one(&mut connection, &database.schema, args).await.map_err(context)
}

async fn migrate_in_one(connection: &mut Connection, schema: &SchemaName, args: &MigrateArgs) -> Result<Done, Error> {
    let limits = Limits { lock: args.lock_wait, ..LIMITS };
    let tx = limits.begin(connection).await?;
    let done = migrate_within(&tx, schema, args.with_clinic_tables).await?;
    tx.commit().await?;
    for migration in &done.applied {
        info!(%migration, "applied");
    }
    Ok(done)
}

async fn migrate_within(tx: &Transaction<'_>, schema: &SchemaName, with_clinic: bool) -> Result<Done, Error> {
    let locked = LOCK_SCHEMA.execute(tx, &[&LOCK]).await;
    locked.map_err(|error| error.context("another migration is at work"))?;
    schema::check_not_of_0_1(tx).await?;
    schema::check_private(tx).await?;
    check_own(tx, schema, &histories(), false).await?;
    let pending = Pending::find(tx, schema, with_clinic).await?;
    pending.check_nothing_in_the_way(tx, schema).await?;
    let migrations = Set::Ours.migrations();
    let created = migrations.iter().flat_map(|migration| created(migration.sql().unwrap_or_default()));
    check_own(tx, schema, &created.collect::<Vec<_>>(), false).await?;
    let row = NOW.one(tx, &[]).await?;
    let database: &str = row.get("database");
    // The role is left to a person: the application's own would find our tables instead of its own.
    let search_path =
        format!("ALTER ROLE dashboard IN DATABASE {database} SET search_path = {}, public;", schema.quoted());
    if pending.0.is_empty() {
        let compared = ours::compare(tx, schema).await?.unwrap_or_default();
        return Ok(Done { compared, search_path, ..Done::default() });
    }
    if !SCHEMA_EXISTS.one(tx, &[&schema.as_str()]).await?.get::<_, bool>("known") {
        tx.batch_execute(&format!("CREATE SCHEMA {}", schema.quoted())).await.map_err(Error::from)?;
    }
    // A relation is created in the first schema of the path.
    let path = format!("SET LOCAL search_path = {}, pg_temp", schema.quoted());
    tx.batch_execute(&path).await.map_err(Error::from)?;
    if IN_SCHEMA.one(tx, &[]).await?.get::<_, Option<&str>>("schema") != Some(schema.as_str()) {
        let message = format!("the role has no USAGE on schema {schema}: GRANT USAGE, CREATE ON SCHEMA");
        return Err(Error::new("NO_PRIVILEGE", ErrorKind::Refused, message));
    }
    for (set, migration) in &pending.0 {
        apply_one(tx, *set, migration, stamp(row.get("now"))).await.map_err(|error| error.context(migration))?;
    }
    let identities = Identities::read_anyhow(tx).await?;
    identities.now.record(tx).await?;
    Ok(Done { applied: pending.names(), search_path, ..Done::default() })
}

async fn apply_one(tx: &Transaction<'_>, set: Set, migration: &Migration, now: String) -> Result<(), Error> {
    tx.batch_execute(&history(set)).await.map_err(Error::from)?;
    tx.batch_execute(migration.sql().unwrap_or_default()).await.map_err(Error::from)?;
    let (name, checksum) = (migration.name(), migration.checksum().to_string());
    RECORD.with(&set).execute(tx, &[&migration.version(), &name, &now, &checksum]).await?;
    Ok(())
}

/// Makes the table that records which migrations of a set are applied.
fn history(set: Set) -> String {
    let (table, whose) = (set.history(), if set == Set::Ours { "rounds" } else { "the reference set" });
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (version integer PRIMARY KEY, name text NOT NULL, \
                                             applied_on text NOT NULL, checksum text NOT NULL);
         COMMENT ON TABLE {table} IS 'The migrations of {whose} that were applied. Only `rounds migrate` writes it.';
         COMMENT ON COLUMN {table}.version IS 'The number of the migration.';
         COMMENT ON COLUMN {table}.name IS 'Its name.';
         COMMENT ON COLUMN {table}.applied_on IS 'When it was applied, as text (RFC 3339).';
         COMMENT ON COLUMN {table}.checksum IS 'A digest of its text; migrate refuses another text of the same number.'"
    )
}

/// The tables that are read before anything is made.
fn histories() -> Vec<String> {
    [Set::Ours, Set::Clinic].map(|set| set.history().to_owned()).into()
}

/// Refuses relations of our names that the role does not own: a trigger of theirs would run as this role. What is only
/// read may be the schema's owner's.
async fn check_own(tx: &Transaction<'_>, schema: &SchemaName, names: &[String], reads: bool) -> Result<(), Error> {
    let rows = OF_OTHERS.all(tx, &[&schema.as_str(), &names, &reads]).await?;
    let found =
        rows.iter().map(|row| format!("{} of role {}", row.get::<_, &str>("name"), row.get::<_, &str>("owner")));
    let found: Vec<String> = found.collect();
    if found.is_empty() {
        return Ok(());
    }
    let message = format!(
        "in schema {schema} there are relations with names of ours that this role does not own: {}. Run migrate as the \
         role that owns the tables of rounds; what another made, look at and DROP",
        found.join(", ")
    );
    Err(Error::new("NOT_THE_OWNER", ErrorKind::Refused, message))
}

/// The migrations that are not applied yet: ours, and those of the clinic's set where it is wanted or is there.
struct Pending(Vec<(Set, Migration)>);

impl Pending {
    async fn find(tx: &Transaction<'_>, schema: &SchemaName, with_clinic: bool) -> Result<Self, Error> {
        let mut pending = vec![];
        for set in [Set::Ours, Set::Clinic] {
            let begun = schema::relation_exists(tx, schema, set.history()).await?;
            if set == Set::Clinic && !with_clinic && !begun {
                continue;
            }
            let rows = if begun { APPLIED.with(&set).all(tx, &[]).await? } else { vec![] };
            for migration in set.migrations() {
                let applied = rows.iter().find(|row| row.get::<_, i32>("version") == migration.version());
                match applied {
                    None => pending.push((set, migration)),
                    Some(row) if row.get::<_, &str>("checksum") == migration.checksum().to_string() => {}
                    Some(_) => return Err(differs(set, &migration)),
                }
            }
        }
        Ok(Self(pending))
    }

    fn names(&self) -> Vec<String> {
        self.0.iter().map(|(_, migration)| migration.to_string()).collect()
    }

    /// Refuses relations that have a name which a pending migration is about to give.
    async fn check_nothing_in_the_way(&self, tx: &Transaction<'_>, schema: &SchemaName) -> Result<(), Error> {
        let created: Vec<(String, &Migration)> = self
            .0
            .iter()
            .flat_map(|(_, migration)| created(migration.sql().unwrap_or_default()).map(move |name| (name, migration)))
            .collect();
        let names: Vec<&str> = created.iter().map(|(name, _)| name.as_str()).collect();
        let rows = IN_THE_WAY.all(tx, &[&schema.as_str(), &names]).await?;
        let found = rows.iter().filter_map(|row| {
            let (name, owner, kind): (&str, &str, &str) = (row.get("name"), row.get("owner"), row.get("kind"));
            let (_, migration) = created.iter().find(|(created, _)| created == name)?;
            Some(format!("{kind} {name} of role {owner} ({migration} creates it)"))
        });
        let found: Vec<String> = found.collect();
        if found.is_empty() {
            return Ok(());
        }
        let message = format!(
            "in the way in schema {schema}: {}; move them into another schema, or name another with --schema",
            found.join(", ")
        );
        Err(Error::new("RELATION_IN_THE_WAY", ErrorKind::Refused, message))
    }
}

/// The relations that the text of a migration creates: each is named at the beginning of a line.
pub(super) fn created(sql: &str) -> impl Iterator<Item = String> + '_ {
    const KINDS: [&str; 4] = ["CREATE TABLE ", "CREATE VIEW ", "CREATE INDEX ", "CREATE UNIQUE INDEX "];
    sql.lines().filter_map(|line| {
        let rest = KINDS.iter().find_map(|kind| line.strip_prefix(kind))?;
        rest.split([' ', '(']).next().map(str::to_owned)
    })
}

fn differs(set: Set, migration: &Migration) -> Error {
    let message = format!(
        "{migration} was applied with another text than this binary's ({}): use the binary that made the schema, or \
         start anew",
        set.history()
    );
    Error::new("MIGRATION_DIFFERS", ErrorKind::Refused, message)
}

/// That so many things are not as they should be, and what lists them.
fn differing(faults: usize) -> String {
    let things = if faults == 1 { "thing differs from what it" } else { "things differ from what they" };
    format!("{faults} {things} should be: rounds migrate --check")
}

impl Done {
    /// What was done; what is wrong beside it is a warning.
    fn describe_migrated(&self) -> String {
        match (self.applied.is_empty(), self.compared.faults.len()) {
            (true, 1..) => format!("All migrations are applied (version {}).\n", schema::newest()),
            _ => self.describe(),
        }
    }

    fn describe(&self) -> String {
        let list = |title: &str, names: &[String]| {
            format!("{title}\n{}", names.iter().map(|n| format!("  {n}\n")).collect::<String>())
        };
        let Comparison { faults, notes } = &self.compared;
        let notes = if notes.is_empty() { String::new() } else { list("Beside it, of others:", notes) };
        if !faults.is_empty() {
            let lines = faults.iter().map(|fault| format!("  {}\n    {}\n", fault.what, fault.remedy.text()));
            return format!("Broken:\n{}{notes}", lines.collect::<String>());
        }
        match (self.pending.as_slice(), self.applied.as_slice()) {
            ([], []) => format!("The schema is up to date (version {}).\n{notes}", schema::newest()),
            ([], applied) => format!(
                "{}For a dashboard's role that does not name the schema, never for the application's:\n  {}\n",
                list("Applied:", applied),
                self.search_path
            ),
            (pending, _) => list("Pending; run `rounds migrate`:", pending),
        }
    }
}

fn lock_wait(text: &str) -> Result<Duration, String> {
    duration_within(text, Duration::from_secs(1)..=Duration::from_secs(3600))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_a_migration_gives_are_found_in_its_text() {
        let sql =
            "-- CREATE TABLE no\nCREATE TABLE a (\n  x int\n);\nCREATE UNIQUE INDEX b ON a (x);\nCREATE VIEW c AS";
        assert_eq!(created(sql).collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
