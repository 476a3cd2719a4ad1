//! The check whether the clinic's tables fit a job, before it begins.
//!
//! Rule: a job begins if and only if each relation and column of the clinic that its statements name is there, with a
//! type that they can work with, and keys that refer to each other are of one kind.
//!
//! `needs.txt` lists what each job needs. A test derives it from the statements and the reference set.

use std::collections::HashMap;
use std::fmt;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use crate::db::{Row, SchemaName, statements};
use crate::error::{Error, ErrorKind};

statements! {
    COLUMNS(TEXT, TEXT_ARRAY) = include_str!("columns.sql");
    TYPES(TEXT_ARRAY) =
        "SELECT r.name AS relation, a.attname::text AS name, a.atttypid AS type
         FROM unnest($1) AS r (name)
         JOIN pg_attribute a ON a.attrelid = to_regclass(r.name) AND a.attnum > 0 AND NOT a.attisdropped";
}

const NEEDS: &str = include_str!("needs.txt");
/// The number of faults that a message names.
const FAULTS_NAMED: usize = 8;

/// A column that a job needs: a line of the list.
pub struct Need<'a> {
    pub relation: &'a str,
    pub column: &'a str,
    pub kind: Kind<'a>,
}

/// The use that the statements make of a column.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    /// Compared and read as text; of the same kind as the key that it refers to.
    Key {
        refers_to: Option<(&'a str, &'a str)>,
    },
    /// Text, or an enum that has these labels.
    Text {
        labels: &'a str,
    },
    Day,
    Clock,
    Instant,
    Number,
    Truth,
    Json,
    Interval,
}

/// A column that is there.
pub struct Column {
    pub base: String,
    pub shown: String,
    /// The labels of an enum.
    pub labels: Vec<String>,
}

/// The columns that are there, by relation and name.
pub type Columns = HashMap<(String, String), Column>;

/// The columns that a job needs.
pub fn needs(job: &str) -> impl Iterator<Item = Need<'static>> {
    NEEDS.lines().filter_map(move |line| Need::of(job, line))
}

/// Refuses a database whose tables of the clinic do not fit the job.
pub async fn check(tx: &Transaction<'_>, schema: &SchemaName, job: &str) -> Result<(), Error> {
    let needs: Vec<Need<'_>> = needs(job).collect();
    let mut relations: Vec<&str> = needs.iter().map(|need| need.relation).collect();
    relations.dedup();
    if relations.is_empty() || fits_at_first_sight(tx, &needs, &relations).await? {
        return Ok(());
    }
    let there = there(tx, schema, &relations).await?;
    let mut faults: Vec<String> = vec![];
    for relation in relations {
        if !there.keys().any(|(name, _)| name == relation) {
            faults.push(format!("{schema}.{relation}: there is no such table or view"));
            continue;
        }
        let own = needs.iter().filter(|need| need.relation == relation);
        faults.extend(own.filter_map(|need| need.fault(&needs, &there)));
    }
    if faults.is_empty() { Ok(()) } else { Err(refusal(schema, job, faults)) }
}

/// The columns of these relations that are there.
pub async fn there(tx: &Transaction<'_>, schema: &SchemaName, relations: &[&str]) -> Result<Columns, Error> {
    let rows = COLUMNS.all(tx, &[&schema.as_str(), &relations]).await?;
    let column = |row: &Row| Column { base: row.get("base"), shown: row.get("shown"), labels: row.get("labels") };
    Ok(rows.iter().map(|row| ((row.get("relation"), row.get("name")), column(row))).collect())
}

/// Whether every column is there with a type of the server's own that fits. It costs a tenth of a look at all that the
/// catalog says of the columns, which only enums, domains and faults need.
async fn fits_at_first_sight(tx: &Transaction<'_>, needs: &[Need<'_>], relations: &[&str]) -> Result<bool, Error> {
    let rows = TYPES.all(tx, &[&relations]).await?;
    let mut there = Columns::with_capacity(rows.len());
    for row in &rows {
        let Some(kind) = Type::from_oid(row.get("type")) else { continue };
        let column = Column { base: kind.name().to_owned(), shown: String::new(), labels: vec![] };
        there.insert((row.get("relation"), row.get("name")), column);
    }
    Ok(needs.iter().all(|need| need.fault(needs, &there).is_none()))
}

fn refusal(schema: &SchemaName, job: &str, mut faults: Vec<String>) -> Error {
    let more = faults.len().saturating_sub(FAULTS_NAMED);
    faults.truncate(FAULTS_NAMED);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!(
        "the clinic's tables in schema {schema} do not fit {job}: {}{more}. Mend the table or the view; \
         `rounds check {job}` says how",
        faults.join("; ")
    );
    Error::new("TABLES_DO_NOT_FIT", ErrorKind::Refused, message)
}

impl<'a> Need<'a> {
    /// A line `job relation.column kind`, if it is about this job.
    fn of(job: &str, line: &'a str) -> Option<Self> {
        let rest = line.strip_prefix(job)?.strip_prefix(' ')?;
        let (name, kind) = rest.split_once(' ')?;
        let (relation, column) = name.split_once('.')?;
        let (word, more) = kind.split_once(' ').unwrap_or((kind, ""));
        let kind = match word {
            "key" => Kind::Key { refers_to: more.split_once('.') },
            "text" => Kind::Text { labels: more },
            "day" => Kind::Day,
            "clock" => Kind::Clock,
            "instant" => Kind::Instant,
            "number" => Kind::Number,
            "truth" => Kind::Truth,
            "json" => Kind::Json,
            _ => Kind::Interval,
        };
        Some(Self { relation, column, kind })
    }

    /// The key that the column refers to.
    pub fn refers_to(&self) -> Option<(&'a str, &'a str)> {
        match self.kind {
            Kind::Key { refers_to } => refers_to,
            _ => None,
        }
    }

    /// The fault of the column, if it has one.
    pub fn fault(&self, needs: &[Need<'_>], there: &Columns) -> Option<String> {
        let find = |relation: &str, column: &str| there.get(&(relation.to_owned(), column.to_owned()));
        let Self { relation, column, kind } = self;
        let Some(found) = find(relation, column) else {
            return Some(format!("{relation}.{column} is not there, needed is {kind}"));
        };
        let is_enum = matches!(kind, Kind::Text { .. }) && !found.labels.is_empty();
        if !is_enum && !kind.takes(&found.base) {
            return Some(format!("{relation}.{column} is {}, needed is {kind}", found.shown));
        }
        match kind {
            Kind::Key { refers_to: Some((other, key)) } => {
                // Where the job does not need the key itself, the columns that refer to it must fit each other.
                let refers =
                    |need: &&Need<'_>| matches!(need.kind, Kind::Key { refers_to: Some(to) } if to == (*other, *key));
                let peers = needs.iter().filter(refers).map(|need| (need.relation, need.column));
                let (other, key, referred) = std::iter::once((*other, *key))
                    .chain(peers)
                    .find_map(|(other, key)| Some((other, key, find(other, key)?)))?;
                (family(&referred.base) != family(&found.base))
                    .then(|| format!("{relation}.{column} is {} and {other}.{key} is {}", found.shown, referred.shown))
            }
            Kind::Text { labels } if !found.labels.is_empty() => {
                let lacking: Vec<&str> = labels
                    .split(',')
                    .filter(|label| !label.is_empty() && !found.labels.iter().any(|l| l == label))
                    .collect();
                (!lacking.is_empty())
                    .then(|| format!("{relation}.{column} is {}, which lacks {}", found.shown, lacking.join(", ")))
            }
            _ => None,
        }
    }
}

/// The kinds of keys, by the name of a type; keys of one kind can be compared.
pub fn family(base: &str) -> Option<&'static str> {
    match base {
        "int2" | "int4" | "int8" => Some("number"),
        "uuid" => Some("uuid"),
        "text" | "varchar" | "bpchar" => Some("text"),
        _ => None,
    }
}

impl Kind<'_> {
    /// Whether the statements can work with a column of this type; an enum is another matter.
    pub fn takes(self, base: &str) -> bool {
        let (is_text, is_whole) = (family(base) == Some("text"), family(base) == Some("number"));
        match self {
            Self::Key { .. } => family(base).is_some(),
            Self::Text { .. } => is_text || base == "name",
            Self::Day => matches!(base, "date" | "timestamp"),
            Self::Clock => is_text || base == "time",
            Self::Instant => matches!(base, "timestamptz" | "timestamp"),
            Self::Number => is_whole || matches!(base, "numeric" | "float4" | "float8"),
            Self::Truth => base == "bool",
            Self::Json => matches!(base, "jsonb" | "json"),
            Self::Interval => base == "interval",
        }
    }

    /// The type that such a column has as a rule. That of a key depends on the key that it refers to.
    pub fn usual_type(self) -> &'static str {
        match self {
            Self::Key { .. } | Self::Text { .. } => "text",
            Self::Day => "date",
            Self::Clock => "time",
            Self::Instant => "timestamptz",
            Self::Number => "integer",
            Self::Truth => "boolean",
            Self::Json => "jsonb",
            Self::Interval => "interval",
        }
    }
}

impl fmt::Display for Kind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key { .. } => "a key (integer, uuid or text)",
            Self::Text { .. } => "text or an enum",
            Self::Day => "date",
            Self::Clock => "time or text such as 09:30",
            Self::Instant => "timestamptz, or timestamp in UTC",
            Self::Number => "a number",
            Self::Truth => "boolean",
            Self::Json => "jsonb",
            Self::Interval => "interval",
        })
    }
}
