//! The rows of the clinic that no job can judge: counted, with the keys of the first.
//!
//! Each relation is read once for all jobs, with a limit of a few seconds; where the server refuses that, once for each
//! column. What takes longer or is refused is said to be not looked at. A job leaves such rows alone and reports them as
//! failed items, so each is a warning.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Transaction;

use super::finding::{Findings, Remedy, Topic};
use super::reference::WORDS;
use crate::clinic::fit::{self, Columns, Kind, Need};
use crate::clinic::local_time::{clock_time, day, instant, known_zones, slot_length};
use crate::db::{Connection, Limits, Row, SchemaName, statements, tried};
use crate::error::{Error, ErrorKind};
use crate::jobs;
use crate::ops::privileges::{self, Verb};

statements! {
    COUNTS[look: Look = Look::all()]() = look.counts();
    FIRST[look: Look = Look::all()]() = look.first();
    /// Each distinct name of a zone, and the first facilities that have it.
    ZONES() = "SELECT f.time_zone::text AS zone, count(*) AS facilities,
                      (array_agg(f.id::text ORDER BY f.id))[1:3] AS first
               FROM facilities f WHERE f.id IS NOT NULL GROUP BY f.time_zone::text ORDER BY f.time_zone::text";
}

/// The limit of a statement that reads a whole table.
const LIMIT: Duration = Duration::from_secs(3);
const LIMITS: Limits = Limits { statement: LIMIT, lock: Duration::from_secs(1), idle: Duration::from_secs(10) };
/// The number of keys that are named.
const KEYS_NAMED: i64 = 3;
/// The SQLSTATE of a statement that took too long.
const TOO_LONG: &str = "57014";

/// A fault that rows of a relation can have.
#[derive(Clone)]
struct Fault {
    column: &'static str,
    /// In SQL, of a row `d`.
    condition: String,
    what: &'static str,
    remedy: &'static str,
}

/// A relation and the faults that are looked for.
#[derive(Clone)]
pub struct Look {
    relation: &'static str,
    faults: Vec<Fault>,
    has_key: bool,
}

impl Look {
    /// Of every relation that a job needs, with every fault that its columns can have.
    fn all() -> Vec<Self> {
        let mut looks: BTreeMap<&str, Self> = BTreeMap::new();
        for need in jobs::NAMES.iter().flat_map(|job| fit::needs(job)) {
            let blank = || Self { relation: need.relation, faults: vec![], has_key: false };
            let look = looks.entry(need.relation).or_insert_with(blank);
            look.has_key |= need.column == "id";
            let is_known = look.faults.iter().any(|fault| fault.column == need.column);
            look.faults.extend(Fault::of(need.relation, need.column, need.kind).filter(|_| !is_known));
        }
        looks.into_values().filter(|look| !look.faults.is_empty()).collect()
    }

    fn counts(&self) -> String {
        let count = |fault: &Fault| format!("count(*) FILTER (WHERE {})", fault.condition);
        let counts: Vec<String> = self.faults.iter().map(count).collect();
        format!("SELECT ARRAY[{}]::int8[] AS counts FROM {} d", counts.join(", "), self.relation)
    }

    /// The keys of the first rows with the first fault.
    fn first(&self) -> String {
        let condition = self.faults.first().map_or("false", |fault| fault.condition.as_str());
        let key = if self.has_key { "d.id::text" } else { "NULL::text" };
        let order = if self.has_key { "ORDER BY d.id" } else { "" };
        format!("SELECT {key} AS key FROM {} d WHERE {condition} {order} LIMIT {KEYS_NAMED}", self.relation)
    }

    /// This look at the faults that its columns can have, as their types are.
    fn at(mut self, there: &Columns) -> Self {
        let relation = self.relation.to_owned();
        // A column of the server's own type for a time of day has no other values.
        self.faults.retain(|fault| {
            let column = there.get(&(relation.clone(), fault.column.to_owned()));
            column.is_some_and(|column| column.base != "time")
        });
        self
    }

    fn only(&self, fault: &Fault) -> Self {
        Self { faults: vec![fault.clone()], ..self.clone() }
    }
}

impl Fault {
    fn of(relation: &'static str, column: &'static str, kind: Kind<'_>) -> Option<Self> {
        let own = format!("d.{column}");
        let unreadable = |readable: String| format!("{own} IS NOT NULL AND ({readable}) IS NULL");
        let (condition, what, remedy) = match kind {
            Kind::Clock => (unreadable(clock_time(&own)), "no time such as 09:30", "correct them; they are not judged"),
            Kind::Day => (unreadable(day(&own)), BEYOND, "correct them; they are not judged"),
            Kind::Instant => (unreadable(instant(&own)), BEYOND, "correct them; they count as none"),
            Kind::Number if (relation, column) == ("doctors", "slot_duration_minutes") => {
                let remedy = "set them; visits that depend on it are not judged";
                (format!("({}) IS NULL", slot_length()), "no number of minutes from 1 to 1440", remedy)
            }
            Kind::Text { .. } if matches!(column, "status" | "priority" | "source") => {
                let words = WORDS.iter().find(|words| (&*words.relation, &*words.column) == (relation, column))?;
                let condition = format!("({own}::text IN ({})) IS NOT TRUE", words.list);
                (
                    condition,
                    "a word that no rule knows, or NULL",
                    "map it in the view if it means one of the rules' words",
                )
            }
            _ => return None,
        };
        Some(Self { column, condition, what, remedy })
    }
}

const BEYOND: &str = "beyond the calendar: infinite, before the year 1 or after 9999";

/// What was found in a column: for each job that needs it a warning.
struct Found {
    relation: &'static str,
    column: &'static str,
    what: String,
    remedy: &'static str,
}

/// A column that could not be looked at; all columns of a table that takes too long.
struct Unread {
    relation: &'static str,
    column: Option<&'static str>,
    code: String,
}

/// What was found, and what could not be looked at.
#[derive(Default)]
struct Seen {
    found: Vec<Found>,
    unread: Vec<Unread>,
}

pub async fn look(
    client: &mut Connection,
    schema: &SchemaName,
    jobs: &[&'static str],
    findings: &mut Findings,
) -> Result<(), Error> {
    let needs: Vec<(_, Vec<_>)> = jobs.iter().map(|job| (*job, read_by(job))).collect();
    let is_needed = |relation: &str, column: &str| {
        needs.iter().any(|(_, needs)| needs.iter().any(|need| (need.relation, need.column) == (relation, column)))
    };
    let mut seen = Seen::default();
    let tx = LIMITS.begin_reading(client).await?;
    for mut look in Look::all() {
        look.faults.retain(|fault| is_needed(look.relation, fault.column));
        let look = look.at_there(&tx, schema).await?;
        look_at(&tx, &look, &mut seen).await?;
    }
    if is_needed("facilities", "time_zone") {
        zones(&tx, &mut seen).await?;
    }
    tx.rollback().await?;
    for (job, needs) in needs {
        let is_own =
            |relation: &str, column: &str| needs.iter().any(|need| (need.relation, need.column) == (relation, column));
        let own: Vec<&Found> = seen.found.iter().filter(|one| is_own(one.relation, one.column)).collect();
        let unread = seen.unread.iter().filter(|one| match one.column {
            Some(column) => is_own(one.relation, column),
            None => needs.iter().any(|need| need.relation == one.relation),
        });
        let unread = not_looked_at(unread);
        let is_read = !findings.has_failure(job, Topic::Columns);
        let mut section = findings.section(Some(job), Topic::Rows);
        if own.is_empty() && unread.is_empty() && !needs.is_empty() && is_read {
            section.ok("no row that the job could not judge");
        }
        own.iter().for_each(|found| section.warn(&found.what, Remedy::advice(found.remedy)));
        unread.into_iter().for_each(|(what, remedy)| section.warn(what, Remedy::advice(remedy)));
    }
    Ok(())
}

/// What a job reads: of a column that it only writes it judges no value.
fn read_by(job: &str) -> Vec<Need<'static>> {
    let privileges = privileges::of_run(job);
    let is_read = |need: &Need<'_>| {
        let mut own = privileges.iter().filter(|one| (one.relation, one.verb) == (need.relation, Verb::Select));
        own.any(|one| one.columns.contains(&need.column))
    };
    fit::needs(job).filter(is_read).collect()
}

/// A text for each relation and reason, and what to do.
fn not_looked_at<'a>(unread: impl Iterator<Item = &'a Unread>) -> Vec<(String, &'static str)> {
    let mut grouped: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for Unread { relation, column, code } in unread {
        grouped.entry((*relation, code.as_str())).or_default().extend(*column);
    }
    let told = grouped.into_iter().map(|((relation, code), columns)| {
        let of = if columns.is_empty() { String::new() } else { format!(" ({})", columns.join(", ")) };
        let what = format!("the rows of {relation}{of} were not looked at");
        match code {
            TOO_LONG => (
                format!("{what}: reading all of them takes more than {} s", LIMIT.as_secs()),
                "nothing: a run reports each row that it cannot judge",
            ),
            _ => (format!("{what} (SQLSTATE {code})"), "mend what is told of its columns and privileges; check again"),
        }
    });
    told.collect()
}

impl Look {
    async fn at_there(self, tx: &Transaction<'_>, schema: &SchemaName) -> Result<Self, Error> {
        if self.faults.is_empty() {
            return Ok(self);
        }
        let there = fit::there(tx, schema, &[self.relation]).await?;
        Ok(self.at(&there))
    }
}

/// Counts the rows with each fault. A column that only one job cannot read must not hide the rows from the others: what
/// the server refuses for all columns is asked again for each.
async fn look_at(tx: &Transaction<'_>, look: &Look, seen: &mut Seen) -> Result<(), Error> {
    if look.faults.is_empty() {
        return Ok(());
    }
    let relation = look.relation;
    let Err(error) = count(tx, look, seen).await? else { return Ok(()) };
    if error.code == TOO_LONG {
        seen.unread.push(Unread { relation, column: None, code: error.code.into() });
        return Ok(());
    }
    for fault in &look.faults {
        if let Err(error) = count(tx, &look.only(fault), seen).await? {
            seen.unread.push(Unread { relation, column: Some(fault.column), code: error.code.into() });
        }
    }
    Ok(())
}

/// Counts the rows with each fault in one statement, or returns the server's refusal.
async fn count(tx: &Transaction<'_>, look: &Look, seen: &mut Seen) -> Result<Result<(), Error>, Error> {
    let relation = look.relation;
    let counts: Vec<i64> = match tried(tx, async || COUNTS.with(look).one(tx, &[]).await).await? {
        Ok(row) => row.get("counts"),
        Err(error) if error.kind == ErrorKind::Transient => return Err(error),
        Err(error) => return Ok(Err(error)),
    };
    for (fault, count) in look.faults.iter().zip(counts).filter(|(_, count)| *count > 0) {
        let Fault { column, what, remedy, .. } = fault;
        let keys = tried(tx, async || FIRST.with(&look.only(fault)).all(tx, &[]).await).await?.unwrap_or_default();
        let keys: Vec<String> = keys.iter().filter_map(|row| row.get("key")).collect();
        let what = format!("{relation}.{column} of {}{} is {what}", rows(count), named(&keys, count));
        seen.found.push(Found { relation, column, what, remedy });
    }
    Ok(Ok(()))
}

/// The zones that the program or the server does not know.
async fn zones(tx: &Transaction<'_>, seen: &mut Seen) -> Result<(), Error> {
    let (relation, column) = ("facilities", "time_zone");
    let zone = |row: &Row| row.get::<_, Option<String>>("zone");
    let read = async || {
        let rows = tried(tx, async || ZONES.all(tx, &[]).await).await??;
        let known = known_zones(tx, rows.iter().filter_map(zone).collect()).await?;
        Ok::<_, Error>((rows, known))
    };
    let (rows_by_zone, known) = match read().await {
        Ok(read) => read,
        Err(error) if error.kind == ErrorKind::Transient => return Err(error),
        Err(error) => {
            seen.unread.push(Unread { relation, column: Some(column), code: error.code.into() });
            return Ok(());
        }
    };
    for row in rows_by_zone.iter().filter(|row| !zone(row).is_some_and(|name| known.contains(&name))) {
        let (count, keys): (i64, Vec<String>) = (row.get("facilities"), row.get("first"));
        let what = format!(
            "facilities.time_zone of {}{} is no zone that rounds and the server know",
            rows(count),
            named(&keys, count)
        );
        let remedy = "set an IANA name, such as America/Denver; none of their visits is judged";
        seen.found.push(Found { relation, column, what, remedy });
    }
    Ok(())
}

fn rows(count: i64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// The first keys, in parentheses.
fn named(keys: &[String], count: i64) -> String {
    let more = if count > keys.len() as i64 { ", ..." } else { "" };
    if keys.is_empty() { String::new() } else { format!(" ({}{more})", keys.join(", ")) }
}
