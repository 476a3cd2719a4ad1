//! The columns that a job writes: whether the view lets it, and what a view's trigger says of what it did.

use std::collections::BTreeSet;

use tokio_postgres::Transaction;

use super::catalog::{Catalog, Relation};
use super::finding::{Findings, Remedy, Section, Topic};
use super::statements::plan_with;
use crate::db::{identifier, statements};
use crate::error::Error;
use crate::ops::privileges::{self, Verb};

statements! {
    TRY[write: Write = Write::examples()]() = write.sql();
    /// The functions of a view's INSTEAD OF triggers (64) for INSERT (4) and UPDATE (16).
    INSTEAD_OF(INT8) =
        "SELECT DISTINCT format('%I.%I', n.nspname, p.proname) AS function, p.prosrc AS body
         FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE t.tgrelid = $1::oid AND t.tgtype & 64 <> 0 AND t.tgtype & 20 <> 0 AND t.tgenabled <> 'D'
         ORDER BY 1";
    /// The unique indexes over columns of a table to which a foreign key refers.
    UNIQUE(INT8, TEXT_ARRAY) =
        "SELECT i.indexrelid::regclass::text AS index, min(a.attname::text) AS column
         FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = $1::oid AND i.indisunique AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
           AND a.attname = ANY ($2)
           AND EXISTS (SELECT FROM pg_constraint f WHERE f.confrelid = i.indrelid AND f.contype = 'f')
         GROUP BY i.indexrelid ORDER BY 1";
}

/// Columns that are written, for a statement that is planned only.
pub struct Write {
    relation: String,
    verb: Verb,
    columns: Vec<String>,
}

impl Write {
    fn examples() -> Vec<Self> {
        let write = |verb| Self { relation: "appointments".into(), verb, columns: vec!["status".into()] };
        vec![write(Verb::Update), write(Verb::Insert)]
    }

    fn sql(&self) -> String {
        let Self { relation, columns, .. } = self;
        let columns: Vec<String> = columns.iter().map(|column| identifier(column)).collect();
        match self.verb {
            Verb::Insert => {
                let nulls = vec!["NULL"; columns.len()].join(", ");
                format!("INSERT INTO {relation} ({}) VALUES ({nulls})", columns.join(", "))
            }
            _ => {
                let set: Vec<String> = columns.iter().map(|column| format!("{column} = NULL")).collect();
                format!("UPDATE {relation} SET {} WHERE false", set.join(", "))
            }
        }
    }
}

/// What a job writes only where it can be written: its job, relation and column. A run asks the server itself.
const WHERE_KEPT: [(&str, &str, &str); 1] = [("apply-absences", "appointments", "cancelled_at")];

pub async fn look(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    job: &'static str,
    is_usable: bool,
    findings: &mut Findings,
) -> Result<(), Error> {
    let written = privileges::written(job);
    let of_clinic = written.iter().filter_map(|(name, columns)| Some((*name, catalog.named(name)?, columns)));
    let of_clinic: Vec<_> = of_clinic.filter(|(_, relation, _)| !relation.is_ours).collect();
    if of_clinic.is_empty() {
        return Ok(());
    }
    let verbs = privileges::of_run(job);
    let mut section = findings.section(Some(job), Topic::Writing);
    let (mut is_whole, mut untried) = (true, vec![]);
    for (name, relation, columns) in &of_clinic {
        if relation.is_view && !is_usable {
            untried.push(*name);
        }
        if relation.is_view && is_usable {
            let own = verbs.iter().filter(|one| one.relation == *name);
            for one in own.filter(|one| matches!(one.verb, Verb::Insert | Verb::Update)) {
                let is_needed = |column: &&str| columns.contains(column) && !WHERE_KEPT.contains(&(job, name, column));
                let columns: Vec<&str> = one.columns.iter().copied().filter(is_needed).collect();
                match try_writing(tx, relation, name, one.verb, &columns, &mut section).await? {
                    Tried::Fits => {}
                    Tried::Fault => is_whole = false,
                    Tried::NotAllowed => untried.push(*name),
                }
            }
        }
        is_whole &= look_at_triggers(tx, relation, &mut section).await?;
        is_whole &= look_at_unique(tx, catalog, name, columns, &verbs, &mut section).await?;
    }
    untried.dedup();
    if !untried.is_empty() {
        section.skip(format!("{} not tried: a privilege is missing, which is told as such", untried.join(", ")));
    }
    let names: Vec<&str> = of_clinic.iter().map(|(name, ..)| *name).filter(|name| !untried.contains(name)).collect();
    if is_whole && !names.is_empty() {
        section.ok(format!("{} can be written", names.join(", ")));
    }
    Ok(())
}

/// What became of an attempt to write.
enum Tried {
    Fits,
    Fault,
    /// The role may not, so nothing is known of the view.
    NotAllowed,
}

/// Has the server plan a write of all columns, and where it refuses, of each, so that it says why.
async fn try_writing(
    tx: &Transaction<'_>,
    relation: &Relation,
    name: &str,
    verb: Verb,
    columns: &[&str],
    section: &mut Section<'_>,
) -> Result<Tried, Error> {
    let shown = &relation.shown;
    let columns: Vec<&str> = columns.iter().copied().filter(|column| relation.column(column).is_some()).collect();
    let sets = std::iter::once(columns.clone()).chain(columns.iter().map(|column| vec![*column]));
    let (mut told, mut is_allowed): (Vec<String>, bool) = (vec![], true);
    for (index, set) in sets.enumerate() {
        let own = set.iter().map(|column| (*column).to_owned()).collect();
        let statement = TRY.with(&Write { relation: name.to_owned(), verb, columns: own });
        let outcome = plan_with(tx, &statement, |_| None).await?;
        let error = match outcome {
            Ok(_) if index == 0 => return Ok(Tried::Fits),
            Ok(_) => continue,
            Err(error) => error,
        };
        // A privilege that is missing is told as such; a fault of the first is told for its column.
        let is_of_a_column = error.code == "0A000";
        is_allowed &= error.code != "42501";
        if error.code == "42501" || (index == 0 && is_of_a_column) || told.contains(&error.message) {
            continue;
        }
        told.push(error.message.clone());
        let advice = match is_of_a_column {
            true => format!("select the column itself in {shown}, or write an INSTEAD OF trigger (docs/adopting.md)"),
            false => format!("make {shown} a simple view, with one table in its FROM, or write an INSTEAD OF trigger"),
        };
        section.fail(format!("{verb} {shown}: {}", error.message), Remedy::advice(advice));
    }
    Ok(match is_allowed {
        _ if !told.is_empty() => Tried::Fault,
        true => Tried::Fits,
        false => Tried::NotAllowed,
    })
}

/// A trigger that returns its row counts it as written, also where it changed none. Its text can only be guessed at: it
/// should look at FOUND, or return NULL.
async fn look_at_triggers(tx: &Transaction<'_>, relation: &Relation, section: &mut Section<'_>) -> Result<bool, Error> {
    let mut is_whole = true;
    for row in INSTEAD_OF.all(tx, &[&relation.id]).await? {
        let body = row.get::<_, String>("body").to_uppercase();
        let tells = ["FOUND", "RETURN NULL", "ROW_COUNT"].iter().any(|word| body.contains(word));
        if tells || !body.contains("UPDATE") {
            continue;
        }
        is_whole = false;
        let function: &str = row.get("function");
        section.warn(
            format!(
                "{function}(), the INSTEAD OF trigger of {}, seems to return NEW also where it changed no row: the job \
                 then counts what was not done",
                relation.shown
            ),
            Remedy::advice("after its UPDATE: IF NOT FOUND THEN RETURN NULL; END IF;"),
        );
    }
    Ok(is_whole)
}

/// A row whose unique column is changed is locked so strongly that the change waits for who inserts a row that refers
/// to it.
async fn look_at_unique(
    tx: &Transaction<'_>,
    catalog: &Catalog,
    name: &str,
    columns: &BTreeSet<&str>,
    verbs: &[privileges::Privilege],
    section: &mut Section<'_>,
) -> Result<bool, Error> {
    let is_updated = |column: &str| {
        let mut own = verbs.iter().filter(|one| one.relation == name && one.verb == Verb::Update);
        own.any(|one| one.columns.contains(&column))
    };
    let Some(table) = catalog.table_of(name) else { return Ok(true) };
    let origins = columns.iter().filter(|column| is_updated(column)).filter_map(|column| catalog.origin(name, column));
    let own: Vec<&str> = origins.map(|(_, column)| column.name.as_str()).collect();
    let rows = UNIQUE.all(tx, &[&table.id, &own]).await?;
    for row in &rows {
        let (index, column): (&str, &str) = (row.get("index"), row.get("column"));
        section.warn(
            format!(
                "the job changes {}.{column}, which the unique index {index} has, and foreign keys refer to the table: \
                 the change waits for whoever inserts a row that refers to this one, and soon gives it up",
                table.shown
            ),
            Remedy::advice(format!(
                "leave {column} out of the index, or make it partial, if the application allows it"
            )),
        );
    }
    Ok(rows.is_empty())
}
