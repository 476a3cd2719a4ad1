//! The relations and columns of the clinic that a job needs, each fault with the SQL that mends it.
//!
//! `clinic::fit` says what does not fit; this file adds the SQL. What is a table is altered; what is a view is made
//! anew, where its text is simple enough.

use tokio_postgres::Transaction;

use super::catalog::{Catalog, Relation};
use super::finding::{Findings, Remedy, Topic};
use super::partly::SINCE;
use super::view_text::ViewText;
use crate::clinic::fit::{self, Columns, Kind, Need};
use crate::db::{Row, SchemaName, identifier, statements};
use crate::error::Error;
use crate::ops::privileges;

statements! {
    /// The tables and views of other schemas, those of the default one first.
    ELSEWHERE(TEXT) =
        "SELECT c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS shown,
                n.nspname::text AS schema,
                ARRAY(SELECT a.attname::text FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns,
                ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a
                      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS quoted
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ($1, 'pg_catalog', 'information_schema')
           AND n.nspname NOT LIKE 'pg\\_%'
         ORDER BY n.nspname <> 'public', n.nspname, c.relname";
}

pub async fn look(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    catalog: &Catalog,
    job: &'static str,
    findings: &mut Findings,
) -> Result<(), Error> {
    let needs: Vec<Need<'_>> = fit::needs(job).collect();
    let mut relations: Vec<&str> = needs.iter().map(|need| need.relation).collect();
    relations.dedup();
    let there = fit::there(tx, schema, &relations).await?;
    let keys: Vec<&str> = needs.iter().filter_map(Need::refers_to).map(|(relation, _)| relation).collect();
    // Of the keys that columns refer to, also those that the job itself does not need.
    let referred = fit::there(tx, schema, &keys).await?;
    let written = privileges::written(job);
    let mut section = findings.section(Some(job), Topic::Columns);
    let mut faults = 0;
    for relation in relations.iter().copied() {
        let own = needs.iter().filter(|need| need.relation == relation);
        let Some(found) = catalog.named(relation) else {
            faults += 1;
            let columns: Vec<&Need<'_>> = own.collect();
            section.fail(
                format!("{schema}.{relation}: there is no such table or view"),
                Some(missing_relation(tx, schema, job, relation, &columns).await?),
            );
            continue;
        };
        for need in own {
            let Some(fault) = need.fault(&needs, &there) else { continue };
            faults += 1;
            let is_written = written.get(relation).is_some_and(|columns| columns.contains(need.column));
            let place = Place { catalog, relation: found, need, there: &there, referred: &referred, is_written };
            section.fail(fault, Some(place.at_fault(&needs).remedy(&needs)));
        }
    }
    if faults == 0 {
        section.ok(match needs.len() {
            0 => "needs nothing of the clinic's tables".to_owned(),
            columns => format!("{columns} columns of {} tables or views fit", relations.len()),
        });
    }
    Ok(())
}

/// The relation that is in many schemas beside the application's: those of an authority that keeps logins, of queues.
const USERS: &str = "users";

/// A view over the application's table of that name in another schema. Where there is none, or more than one, only a
/// person knows which table is meant.
async fn missing_relation(
    tx: &Transaction<'_>,
    schema: &SchemaName,
    job: &str,
    relation: &str,
    needs: &[&Need<'_>],
) -> Result<Remedy, Error> {
    let rows = ELSEWHERE.all(tx, &[&schema.as_str()]).await?;
    let view = format!("CREATE VIEW {}.{relation} AS SELECT", schema.shown());
    let similar: Vec<&Row> = rows.iter().filter(|row| are_similar(row.get("name"), relation)).collect();
    let row = match similar[..] {
        [row] if relation != USERS => row,
        _ => {
            let columns: Vec<&str> = needs.iter().map(|need| need.column).collect();
            let known: Vec<&str> = similar.iter().map(|row| row.get("shown")).collect();
            let known = if known.is_empty() { String::new() } else { format!(", which may be {}", known.join(" or ")) };
            return Ok(Remedy::Advice(format!(
                "make the view {}.{relation} over the application's table{known}, with the columns {}: \
                 `rounds adopt --from SCHEMA {job}` drafts it (docs/adopting.md)",
                schema.shown(),
                columns.join(", ")
            )));
        }
    };
    let (there, quoted): (Vec<String>, Vec<String>) = (row.get("columns"), row.get("quoted"));
    let columns = needs.iter().map(|need| {
        let shown = identifier(need.column);
        match there.iter().zip(&quoted).find(|(column, _)| are_similar(column, need.column)) {
            Some((column, _)) if column == need.column => shown,
            Some((_, quoted)) => format!("{quoted} AS {shown}"),
            None => format!("NULL::{} AS {shown}", usual_type(need.kind)),
        }
    });
    let columns: Vec<String> = columns.collect();
    let sql = format!("{view} {} FROM {};", columns.join(", "), row.get::<_, &str>("shown"));
    Ok(decided(sql, columns.iter().any(|column| column.starts_with("NULL::"))))
}

/// SQL to be sent, or to be completed where a column has no counterpart: a rule may never hold for NULL.
fn decided(sql: String, has_null: bool) -> Remedy {
    if has_null { Remedy::Advice(format!("{sql}\n-- decide what is in the place of NULL")) } else { Remedy::Sql(sql) }
}

/// A column that does not fit.
struct Place<'a> {
    catalog: &'a Catalog,
    relation: &'a Relation,
    need: &'a Need<'a>,
    there: &'a Columns,
    referred: &'a Columns,
    is_written: bool,
}

impl<'a> Place<'a> {
    /// Where the fault is. Of two columns that refer to the same key, the one that differs from the key.
    fn at_fault(self, needs: &'a [Need<'a>]) -> Self {
        let Some((relation, column)) = self.need.refers_to() else { return self };
        let key = self.referred.get(&(relation.to_owned(), column.to_owned()));
        let own = self.there(self.need.relation, self.need.column);
        let (Some(key), Some(own)) = (key, own) else { return self };
        if fit::family(&key.base) != fit::family(&own.base) {
            return self;
        }
        let differs = |need: &&Need<'_>| {
            let base = self.there(need.relation, need.column).map(|column| fit::family(&column.base));
            need.refers_to() == self.need.refers_to() && base.is_some_and(|base| base != fit::family(&key.base))
        };
        let peer = needs.iter().find(differs).and_then(|need| Some((need, self.catalog.named(need.relation)?)));
        match peer {
            // The job that writes it tells of it, if its type is the fault.
            Some((need, relation)) => Self { need, relation, is_written: false, ..self },
            None => self,
        }
    }

    /// What mends a column that is missing, has another type, or is an enum that lacks a label.
    fn remedy(&self, needs: &[Need<'_>]) -> Remedy {
        let Self { relation, need, .. } = self;
        let (table, column) = (&relation.shown, identifier(need.column));
        let wanted = self.wanted(needs);
        let Some(found) = self.there(need.relation, need.column) else { return self.added(&wanted) };
        if let (Kind::Text { labels }, false) = (need.kind, found.labels.is_empty()) {
            let lacking = labels.split(',').filter(|label| !found.labels.iter().any(|known| known == label));
            let add = lacking.map(|label| format!("ALTER TYPE {} ADD VALUE '{label}';", found.shown));
            return Remedy::Sql(add.collect::<Vec<_>>().join(" "));
        }
        let advice = || Remedy::Advice(format!("{table}.{column} has to be {}", need.kind));
        match &relation.definition {
            None if relation.is_table => match cast(need.kind, &found.base, &column, &wanted) {
                Some(cast) => {
                    Remedy::Sql(format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {wanted} USING {cast};"))
                }
                None => advice(),
            },
            None => advice(),
            Some(_) if self.is_written => Remedy::Advice(format!(
                "the job writes {column}, so an expression cannot serve: give the column beneath the type {wanted}, \
                 or translate what is written in an INSTEAD OF trigger (docs/adopting.md)"
            )),
            Some(definition) => {
                let view = ViewText::of(definition);
                let cast = |view: &ViewText| cast(need.kind, &found.base, view.expression(need.column)?, &wanted);
                match view.and_then(|view| Some((cast(&view)?, view))) {
                    Some((cast, view)) => {
                        let (select, options) = (view.with(need.column, cast).select(), relation.with_options());
                        let sql = format!("DROP VIEW {table}; CREATE VIEW {table}{options} AS {select};");
                        match &relation.lost[..] {
                            [] => Remedy::Sql(sql),
                            lost => Remedy::Advice(format!(
                                "{sql}\n-- then give the view its {} again, which are lost with it",
                                lost.join(", ")
                            )),
                        }
                    }
                    None => advice(),
                }
            }
        }
    }

    /// What adds the column: from the table beneath a view where that has one of a similar name, else without values.
    fn added(&self, wanted: &str) -> Remedy {
        let Self { relation, need, .. } = self;
        let (table, column) = (&relation.shown, identifier(need.column));
        let Some(definition) = &relation.definition else {
            return Remedy::Sql(format!("ALTER TABLE {table} ADD COLUMN {column} {wanted};"));
        };
        let beneath = self.catalog.table_of(need.relation);
        let similar = beneath.and_then(|table| table.columns.iter().find(|own| are_similar(&own.name, need.column)));
        let expression = similar.map_or_else(|| format!("NULL::{wanted}"), |own| own.shown.clone());
        match ViewText::of(definition) {
            Some(view) => {
                let select = view.with(need.column, expression).select();
                // Options that are not repeated are lost.
                let options = relation.with_options();
                // NULL is enough where the job does without.
                let is_undecided = similar.is_none() && (need.relation, need.column) != SINCE;
                decided(format!("CREATE OR REPLACE VIEW {table}{options} AS {select};"), is_undecided)
            }
            None => Remedy::Advice(format!("add {column} of the type {wanted} to the view {table}")),
        }
    }

    fn there(&self, relation: &str, column: &str) -> Option<&fit::Column> {
        self.there.get(&(relation.to_owned(), column.to_owned()))
    }

    /// The type that the column should have: of a key, that of the key that it refers to, or of others that do.
    fn wanted(&self, needs: &[Need<'_>]) -> String {
        let Kind::Key { refers_to } = self.need.kind else { return usual_type(self.need.kind).to_owned() };
        let refers = |need: &&Need<'_>| refers_to.is_some() && need.refers_to() == refers_to;
        let peers = needs.iter().filter(refers).map(|need| (need.relation, need.column));
        let own = (self.need.relation, self.need.column);
        let referred = |(relation, column): (&str, &str)| {
            let key = (relation.to_owned(), column.to_owned());
            self.referred.get(&key).or_else(|| self.there.get(&key))
        };
        let known = refers_to.into_iter().chain(peers).filter(|other| *other != own).find_map(referred);
        known.map_or_else(|| usual_type(self.need.kind).to_owned(), |column| column.shown.clone())
    }
}

impl Relation {
    /// The options of a view, as CREATE VIEW takes them.
    fn with_options(&self) -> String {
        self.options.as_ref().map_or(String::new(), |options| format!(" WITH ({options})"))
    }
}

/// The type of such a column in the reference set.
fn usual_type(kind: Kind<'_>) -> &'static str {
    match kind {
        Kind::Key { .. } => "bigint",
        Kind::Text { .. } => "text",
        Kind::Day => "date",
        Kind::Clock => "time",
        Kind::Instant => "timestamptz",
        Kind::Number => "numeric",
        Kind::Truth => "boolean",
        Kind::Json => "jsonb",
        Kind::Interval => "interval",
    }
}

/// Whether two names differ in capitals, underscores and a plural only, such as updated_at and updatedAt.
fn are_similar(one: &str, other: &str) -> bool {
    let plain = |name: &str| {
        let name = name.replace('_', "").to_lowercase();
        let stem = name.strip_suffix("ies").map(|stem| format!("{stem}y"));
        stem.unwrap_or_else(|| name.trim_end_matches('s').to_owned())
    };
    plain(one) == plain(other)
}

/// An expression with the wanted type; None if no cast of the server leads there.
fn cast(kind: Kind<'_>, base: &str, expression: &str, wanted: &str) -> Option<String> {
    let is_text = matches!(base, "text" | "varchar" | "bpchar");
    let is_number = matches!(base, "int2" | "int4" | "int8" | "numeric" | "float4" | "float8");
    let is_simple = expression.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"'));
    let inner = if is_simple { expression.to_owned() } else { format!("({expression})") };
    let fits = match kind {
        Kind::Number if is_text => {
            return Some(format!("CASE WHEN {inner} ~ '^[0-9]{{1,9}}([.][0-9]+)?$' THEN {inner}::numeric END"));
        }
        Kind::Truth if is_number => return Some(format!("{inner} <> 0")),
        Kind::Truth if is_text => return Some(format!("lower({inner}) IN ('true', 't', 'yes', 'y', '1')")),
        Kind::Text { .. } => true,
        Kind::Key { .. } => is_text || is_number || base == "uuid",
        Kind::Day => is_text || base == "timestamptz",
        Kind::Clock => matches!(base, "timetz" | "timestamp" | "interval"),
        Kind::Instant => is_text || base == "date",
        Kind::Json | Kind::Interval => is_text,
        Kind::Number | Kind::Truth => false,
    };
    fits.then(|| format!("{inner}::{wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_is_printed_where_the_server_has_one() {
        let number = |base: &str| cast(Kind::Number, base, "a.x", "numeric");
        let guarded = "CASE WHEN a.x ~ '^[0-9]{1,9}([.][0-9]+)?$' THEN a.x::numeric END";
        assert_eq!((number("text").as_deref(), number("point")), (Some(guarded), None));
        assert_eq!(cast(Kind::Day, "text", "a || b", "date").as_deref(), Some("(a || b)::date"));
        assert!(are_similar("updatedAt", "updated_at") && !are_similar("updated", "updated_at"));
        assert!(are_similar("Facility", "facilities") && are_similar("DoctorSlot", "doctor_slots"));
    }
}
