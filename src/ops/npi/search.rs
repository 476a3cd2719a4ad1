//! `rounds npi search`: finds providers by their names, or by similar names where no name begins so.
//!
//! Order: who is called so, then whose name begins so; of these first who is near (`--near`: the city, then the state), then
//! by name. Search has active providers only. A provider with several names that fit is there once, by the best of them.

use std::collections::HashSet;

use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::asked::{Asked, Range};
use super::filters::{Place, SURGICAL, city, place, state, taxonomy, zip};
use super::loaded::check_loaded;
use crate::arg::whole;
use crate::clinic::actor::refused;
use crate::command::limit;
use crate::command::{CommandContext, Output, listing, shown};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::output::table::{Column, kept, minor};

statements! {
    // $1 is the letter of the names, $2 and $3 are the ranges of folded names, $10 their least ranks; of a search by
    // similarity $2 are the names.
    SEARCH[search: Search = Search::all()]
          (TEXT, TEXT_ARRAY, TEXT_ARRAY, INT8, TEXT, TEXT, TEXT, TEXT, TEXT_ARRAY, TEXT_ARRAY, TEXT, TEXT) =
        search.text();
    /// The schema of pg_trgm, quoted; no row where names cannot be compared by their trigrams.
    TRIGRAMS() =
        "SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_trgm' AND has_schema_privilege(n.oid, 'USAGE')
           AND to_regclass('search_surgeon_trigrams') IS NOT NULL";
}

/// The planner does not see how many names are in a range. Without this it would read all of a wide one and sort them.
const RANGE_SETTINGS: &str = "SET LOCAL enable_bitmapscan = off";
/// The threshold of similarity. Without a sequential scan the planner takes the index of trigrams, which is faster.
const TRIGRAM_SETTINGS: &str = "SET LOCAL pg_trgm.word_similarity_threshold = 0.5; SET LOCAL enable_seqscan = off; \
                                SET LOCAL enable_bitmapscan = on";
/// An index gives the rows of a range in the order of the names, so that no more of it is read than may be shown: a
/// provider may be in it by several names.
const ROWS_A_RESULT: i64 = 3;
/// No provider has more names that begin alike.
const ROWS_A_RESULT_MAX: i64 = 3 * 16 * 16;
/// The columns of a result after its names.
const PLACE: [&str; 5] = ["address", "city", "state", "zip", "primary_taxonomy"];

struct Search {
    table: Table,
    by: By,
    near: Near,
}

#[derive(Clone, Copy)]
enum Table {
    Surgeons,
    Facilities,
}

#[derive(Clone)]
enum By {
    Beginning,
    /// In all letters, since the typing error may be in the first. With the schema of pg_trgm, which may be any.
    Similarity(String),
}

/// Who comes first of those who fit alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Near {
    Nobody,
    State,
    City,
}

impl Search {
    fn all() -> Vec<Self> {
        let mut all = vec![];
        for by in [By::Beginning, By::Similarity("rounds".into())] {
            for table in [Table::Surgeons, Table::Facilities] {
                let near = [Near::Nobody, Near::State, Near::City];
                all.extend(near.map(|near| Self { table, by: by.clone(), near }));
            }
        }
        all
    }

    fn text(&self) -> String {
        // Of each of these sets the first rows are read, so that those that are near are among them. Of similar names all
        // are read anyway.
        let sets: Vec<String> = match (&self.by, self.near) {
            (By::Similarity(_), _) | (_, Near::Nobody) => vec![self.rows("")],
            (_, Near::State) => vec![self.rows(""), self.rows(IN_STATE)],
            (_, Near::City) => vec![self.rows(""), self.rows(IN_STATE), self.rows(IN_CITY)],
        };
        format!(
            include_str!("search.sql"),
            names = self.table.name_columns().iter().map(|name| format!("x.{name}")).collect::<Vec<_>>().join(", "),
            rows = sets.join("\n        UNION ALL\n"),
        )
    }

    fn rows(&self, more: &str) -> String {
        let table = self.table.name();
        let near = match self.near {
            Near::Nobody => "0",
            Near::State => "COALESCE((x.state = $11)::int, 0)",
            Near::City => {
                "COALESCE((x.state = $11)::int, 0) + COALESCE((x.state = $11 AND upper(x.city) = upper($12))::int, 0)"
            }
        };
        match &self.by {
            By::Beginning => format!(include_str!("beginning.part.sql"), table = table, near = near, more = more),
            By::Similarity(schema) => {
                format!(include_str!("similarity.part.sql"), table = table, near = near, more = more, schema = schema)
            }
        }
    }
}

const IN_STATE: &str = "AND x.state = $11";
const IN_CITY: &str = "AND x.state = $11 AND upper(x.city) = upper($12)";

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Surgeons => "search_surgeon",
            Self::Facilities => "search_facility",
        }
    }

    fn name_columns(self) -> Vec<&'static str> {
        match self {
            Self::Surgeons => vec!["last_name", "first_name", "middle_name"],
            Self::Facilities => vec!["facility_name"],
        }
    }
}

/// The ranges of a letter, as a statement takes them; of a search by similarity the names are in `lows`.
struct Bounds {
    letter: u8,
    lows: Vec<String>,
    highs: Vec<String>,
    least_ranks: Vec<String>,
    rows_read: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { letter: b'0', lows: vec![], highs: vec![], least_ranks: vec![], rows_read: 0 }
    }
}

/// The providers that a search has found.
#[derive(Default)]
struct Found {
    /// By similarity, because no name begins as asked.
    approximate: bool,
    rows: Vec<Row>,
    /// Whether more names fit than were read.
    cut: bool,
}

/// Find active providers by any of their names, however it is written: O'Brien, OBrien, O Brien
#[derive(Args, Debug)]
pub struct SearchArgs {
    /// How the name begins: of a person "last", "last, first middle" or "first last", of an organization its name
    #[arg(value_name = "NAME", required = true, num_args = 1..)]
    name: Vec<String>,
    /// Organizations instead of persons
    #[arg(long)]
    facility: bool,
    /// In this state, such as CO
    #[arg(long, value_parser = state)]
    state: Option<String>,
    /// In this city
    #[arg(long, value_parser = city)]
    city: Option<String>,
    /// The beginning of a ZIP code
    #[arg(long, value_parser = zip)]
    zip: Option<String>,
    /// A primary taxonomy; a * at its end stands for anything
    #[arg(long, value_name = "CODE", value_parser = taxonomy)]
    taxonomy: Option<String>,
    /// Only whose primary taxonomy is a surgeon's
    #[arg(long)]
    surgeons: bool,
    /// First who is there, of those whose names fit alike: a state, such as CO, or "Denver, CO"
    #[arg(long, value_name = "PLACE", value_parser = place)]
    near: Option<Place>,
    /// At most so many; the list says when there are more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole::<i64>(1..=1000))]
    limit: i64,
}

impl SearchArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let name = self.name.join(" ");
        let asked = if self.facility { Asked::organization(&name) } else { Asked::person(&name) };
        if asked.is_empty() {
            return Err(refused("NO_NAME", "NAME is empty: say how the name begins, such as \"smith, j\"".into()));
        }
        let Found { approximate, mut rows, cut } = context
            .read(async |tx, _| {
                check_loaded(tx).await?;
                self.search(tx, &asked).await
            })
            .await?;
        let more = limit::take_more(self.limit, &mut rows) || cut;
        let results: Vec<Value> = rows.iter().map(|row| self.shape(row, approximate)).collect();
        let by_other = rows.iter().any(|row| row.get::<_, Option<&str>>("other_name").is_some());
        let cells: Vec<Vec<String>> = rows.iter().map(|row| self.cells(row, by_other)).collect();
        let mut text = listing(&self.columns(by_other), &cells, "No provider fits.");
        text += &limit::note(more, rows.len());
        if approximate {
            text.insert_str(0, "No name begins so; these are similar:\n");
        }
        Ok(Output::done(json!({ "approximate": approximate, "results": results, "more": more }), text))
    }

    /// Reads more of the ranges until the limit is passed, or nothing is left to be read.
    async fn search(&self, tx: &Transaction<'_>, asked: &Asked) -> Result<Found, Error> {
        let mut rows_a_result = ROWS_A_RESULT;
        loop {
            let found = self.look(tx, asked, (self.limit + 1) * rows_a_result).await?;
            if !found.cut || found.rows.len() as i64 > self.limit || rows_a_result >= ROWS_A_RESULT_MAX {
                return Ok(found);
            }
            rows_a_result *= 16;
        }
    }

    async fn look(&self, tx: &Transaction<'_>, asked: &Asked, rows_read: i64) -> Result<Found, Error> {
        let mut found = Found::default();
        tx.batch_execute(RANGE_SETTINGS).await?;
        for (letter, ranges) in &asked.ranges {
            let text = |of: fn(&Range) -> String| ranges.iter().map(of).collect::<Vec<_>>();
            let bounds = Bounds {
                letter: *letter,
                lows: text(|range| range.low.clone()),
                highs: text(|range| range.high.clone()),
                least_ranks: text(|range| range.least_rank.to_string()),
                rows_read,
            };
            found.rows.extend(self.select(tx, By::Beginning, &bounds).await?);
        }
        if found.rows.is_empty() {
            let Some(trigrams) = TRIGRAMS.opt(tx, &[]).await? else { return Ok(found) };
            tx.batch_execute(TRIGRAM_SETTINGS).await?;
            let bounds = Bounds { lows: asked.similar.clone(), rows_read, ..Bounds::default() };
            found.rows = self.select(tx, By::Similarity(trigrams.get("schema")), &bounds).await?;
            found.approximate = !found.rows.is_empty();
        }
        found.cut = found.rows.iter().any(|row| row.get("cut"));
        // Of the letters each has its rows in order.
        found.rows.sort_by_cached_key(|row| {
            let place = (row.get::<_, i32>("rank"), -row.get::<_, i32>("near"));
            (place, row.get::<_, String>("folded"), row.get::<_, i64>("npi"))
        });
        let mut seen = HashSet::new();
        found.rows.retain(|row| seen.insert(row.get::<_, i64>("npi")));
        Ok(found)
    }

    async fn select(&self, tx: &Transaction<'_>, by: By, bounds: &Bounds) -> Result<Vec<Row>, Error> {
        let near = match &self.near {
            None => Near::Nobody,
            Some(Place { city: None, .. }) => Near::State,
            Some(Place { city: Some(_), .. }) => Near::City,
        };
        let place = self.near.as_ref();
        let (near_state, near_city) = (place.map(|place| &place.state), place.and_then(|place| place.city.as_ref()));
        let letter = char::from(bounds.letter).to_string();
        let zip = self.zip.as_ref().map(|zip| format!("{zip}%"));
        let surgical = self.surgeons.then_some(SURGICAL);
        let parameters: [&(dyn ToSql + Sync); 12] = [
            &letter,
            &bounds.lows,
            &bounds.highs,
            &bounds.rows_read,
            &self.state,
            &self.city,
            &zip,
            &self.taxonomy,
            &surgical,
            &bounds.least_ranks,
            &near_state,
            &near_city,
        ];
        SEARCH.with(&Search { table: self.table(), by, near }).all(tx, &parameters).await
    }

    fn table(&self) -> Table {
        if self.facility { Table::Facilities } else { Table::Surgeons }
    }

    fn columns(&self, by_other: bool) -> Vec<Column<'static>> {
        let called: &[&str] = if self.facility { &["facility"] } else { &["last name", "first name", "middle name"] };
        let called = called.iter().map(|name| if *name == "middle name" { minor(name) } else { kept(name) });
        let other = by_other.then(|| kept("found as"));
        let place = [minor("address"), "city".into(), "state".into(), "zip".into(), "taxonomy".into()];
        std::iter::once("npi".into()).chain(called).chain(other).chain(place).collect()
    }

    fn cells(&self, row: &Row, by_other: bool) -> Vec<String> {
        let text = |name: &&str| shown(row.get::<_, Option<&str>>(*name));
        let mut cells = vec![row.get::<_, i64>("npi").to_string()];
        cells.extend(self.table().name_columns().iter().map(text));
        if by_other {
            cells.push(match (row.get::<_, Option<&str>>("other_name"), row.get::<_, Option<&str>>("other_kind")) {
                (Some(name), Some(kind)) => format!("{name} ({})", kind_word(kind)),
                (name, _) => shown(name),
            });
        }
        cells.extend(PLACE.iter().map(text));
        cells
    }

    fn shape(&self, row: &Row, approximate: bool) -> Value {
        let mut out = serde_json::Map::new();
        out.insert("npi".into(), json!(row.get::<_, i64>("npi")));
        for name in self.table().name_columns().into_iter().chain(PLACE).chain(["other_name", "other_kind"]) {
            out.insert(name.to_owned(), json!(row.get::<_, Option<&str>>(name)));
        }
        let matched = match row.get::<_, i32>("rank") {
            _ if approximate => "similar",
            0 => "exact",
            _ => "prefix",
        };
        out.insert("match".into(), json!(matched));
        Value::Object(out)
    }
}

/// The kind of another name, as a person reads it.
fn kind_word(kind: &str) -> String {
    if kind == "DBA" { kind.to_owned() } else { kind.to_lowercase() }
}
