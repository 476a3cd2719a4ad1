//! `rounds npi search`: finds providers by the beginning of their name, or by a similar name where no name begins so.

use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::loaded::check_loaded;
use crate::arg::whole;
use crate::clinic::actor::refused;
use crate::clinic::npi::{letter, normalize_name};
use crate::command::limit;
use crate::command::{CommandContext, Output, listing, shown};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::output::table::{Column, kept, minor};

/// The taxonomies of surgeons, as patterns of LIKE.
const SURGICAL: &[&str] = &[
    "2086%",
    "208C%",
    "208G%",
    "2082%",
    "204E%",
    "204F%",
    "207T%",
    "207X%",
    "2088%",
    "207Y%",
    "207W%",
    "207ND0101X",
    "213ES0103X",
    "213ES0131X",
    "1223S0112X",
];

statements! {
    // $1 is the letter of the name, $2 the normalized name, $3 the end of the range of names that begin with it.
    SEARCH[search: Search = Search::all()](TEXT, TEXT, TEXT, INT8, TEXT, TEXT, TEXT, TEXT, TEXT_ARRAY) = format!(
        "SELECT x.npi, {name}, x.address, x.city, x.state, x.zip, x.primary_taxonomy FROM {table} x
         WHERE {condition}
           AND ($5 IS NULL OR x.state = upper($5)) AND ($6 IS NULL OR upper(x.city) = upper($6))
           AND ($7 IS NULL OR x.zip LIKE $7) AND ($8 IS NULL OR x.primary_taxonomy LIKE $8)
           AND ($9::text[] IS NULL OR x.primary_taxonomy LIKE ANY ($9))
         ORDER BY {order} LIMIT $4",
        name = search.table.name_columns(),
        table = search.table.name(),
        condition = search.by.condition(),
        order = search.by.order(),
    );
    /// The schema of pg_trgm, quoted; no row where names cannot be compared by their trigrams.
    TRIGRAMS() =
        "SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
         WHERE e.extname = 'pg_trgm' AND has_schema_privilege(n.oid, 'USAGE')
           AND to_regclass('search_surgeon_trigrams') IS NOT NULL";
}

/// The threshold of similarity. Without a sequential scan the planner takes the index of trigrams, which is faster.
const TRIGRAM_SETTINGS: &str = "SET LOCAL pg_trgm.word_similarity_threshold = 0.5; SET LOCAL enable_seqscan = off";

struct Search {
    table: Table,
    by: By,
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

impl Search {
    fn all() -> Vec<Self> {
        let by_table = |by: By| [Table::Surgeons, Table::Facilities].map(|table| Self { table, by: by.clone() });
        [By::Beginning, By::Similarity("rounds".into())].into_iter().flat_map(by_table).collect()
    }
}

impl Table {
    fn name(self) -> &'static str {
        match self {
            Self::Surgeons => "search_surgeon",
            Self::Facilities => "search_facility",
        }
    }

    fn name_columns(self) -> &'static str {
        match self {
            Self::Surgeons => "x.last_name, x.first_name",
            Self::Facilities => "x.facility_name",
        }
    }
}

impl By {
    fn condition(&self) -> String {
        match self {
            Self::Beginning => {
                "x.letter = $1::\"char\" AND x.folded COLLATE \"C\" >= $2 AND x.folded COLLATE \"C\" < $3".into()
            }
            Self::Similarity(schema) => format!("$2 OPERATOR({schema}.<%) x.folded"),
        }
    }

    /// The order of the names is that of the index, so that no more of it is read than is shown.
    fn order(&self) -> String {
        let by_name = "x.folded COLLATE \"C\", x.npi";
        match self {
            Self::Beginning => by_name.into(),
            Self::Similarity(schema) => format!("{schema}.word_similarity($2, x.folded) DESC, {by_name}"),
        }
    }
}

/// The providers that a search has found.
struct Found {
    /// By similarity, because no name begins as asked.
    approximate: bool,
    rows: Vec<Row>,
}

/// Find active providers by name; accents and case do not matter
#[derive(Args, Debug)]
pub struct SearchArgs {
    /// How the name begins: of a person "last" or "last, first", of an organization its name
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
    /// At most so many; the list says when there are more
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = whole::<i64>(1..=1000))]
    limit: i64,
}

impl SearchArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut normalized = String::new();
        normalize_name(&self.name.join(" "), &mut normalized);
        if normalized.is_empty() {
            return Err(refused("NO_NAME", "NAME is empty: say how the name begins, such as \"smith, j\"".into()));
        }
        let Found { approximate, mut rows } = context
            .read(async |tx, _| {
                check_loaded(tx).await?;
                self.search(tx, &normalized).await
            })
            .await?;
        let more = limit::take_more(self.limit, &mut rows);
        let results: Vec<Value> = rows.iter().map(|row| self.shape(row)).collect();
        let mut text =
            listing(&self.names(), &rows.iter().map(|row| self.cells(row)).collect::<Vec<_>>(), "No provider fits.");
        text += &limit::note(more, rows.len());
        if approximate {
            text.insert_str(0, "No name begins so; these are similar:\n");
        }
        Ok(Output::done(json!({ "approximate": approximate, "results": results, "more": more }), text))
    }

    async fn search(&self, tx: &Transaction<'_>, normalized: &str) -> Result<Found, Error> {
        let rows = self.select(tx, By::Beginning, normalized).await?;
        if !rows.is_empty() {
            return Ok(Found { approximate: false, rows });
        }
        let Some(trigrams) = TRIGRAMS.opt(tx, &[]).await? else { return Ok(Found { approximate: false, rows }) };
        tx.batch_execute(TRIGRAM_SETTINGS).await?;
        let rows = self.select(tx, By::Similarity(trigrams.get("schema")), normalized).await?;
        Ok(Found { approximate: !rows.is_empty(), rows })
    }

    async fn select(&self, tx: &Transaction<'_>, by: By, name: &str) -> Result<Vec<Row>, Error> {
        let table = if self.facility { Table::Facilities } else { Table::Surgeons };
        let letter = char::from(letter(name)).to_string();
        // No text sorts after the last of all characters.
        let end = format!("{name}\u{10ffff}");
        let zip = self.zip.as_ref().map(|zip| format!("{zip}%"));
        let surgical = self.surgeons.then_some(SURGICAL);
        let parameters: [&(dyn ToSql + Sync); 9] =
            [&letter, &name, &end, &(self.limit + 1), &self.state, &self.city, &zip, &self.taxonomy, &surgical];
        SEARCH.with(&Search { table, by }).all(tx, &parameters).await
    }

    fn names(&self) -> Vec<Column<'static>> {
        let called: &[&str] = if self.facility { &["facility"] } else { &["last name", "first name"] };
        let called = called.iter().map(|name| kept(name));
        let place = [minor("address"), "city".into(), "state".into(), "zip".into(), "taxonomy".into()];
        std::iter::once("npi".into()).chain(called).chain(place).collect()
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let texts = (1..row.names().count()).map(|column| shown(row.get::<_, Option<&str>>(column)));
        std::iter::once(row.get::<_, i64>("npi").to_string()).chain(texts).collect()
    }

    fn shape(&self, row: &Row) -> Value {
        let mut out = serde_json::Map::new();
        out.insert("npi".into(), json!(row.get::<_, i64>("npi")));
        for (index, name) in row.names().enumerate().skip(1) {
            out.insert(name.to_owned(), json!(row.get::<_, Option<&str>>(index)));
        }
        Value::Object(out)
    }
}

/// Parses the two letters of a state.
fn state(text: &str) -> Result<String, String> {
    let state = text.trim();
    let good = state.len() == 2 && state.bytes().all(|byte| byte.is_ascii_alphabetic());
    if good {
        Ok(state.to_ascii_uppercase())
    } else {
        Err("a state is two letters, such as CO for Colorado".to_owned())
    }
}

fn city(text: &str) -> Result<String, String> {
    let city = text.trim();
    if city.is_empty() { Err("a city has a name, such as Denver".to_owned()) } else { Ok(city.to_owned()) }
}

/// Parses the beginning of a ZIP code to the digits of the registry, which has no hyphen in them.
fn zip(text: &str) -> Result<String, String> {
    let text = text.trim();
    let digits = match text.split_once('-') {
        Some((first, rest)) if first.len() == 5 => format!("{first}{rest}"),
        _ => text.to_owned(),
    };
    let good = (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(digits) } else { Err("a ZIP code is up to nine digits, such as 80202 or 80202-1234".to_owned()) }
}

/// Parses a code, or the beginning of one, to a pattern of LIKE.
fn taxonomy(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (code, any) = text.strip_suffix('*').map_or((text, ""), |code| (code, "%"));
    let good = code.len() <= 10 && !text.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(format!("{}{any}", code.to_ascii_uppercase()))
    } else {
        Err("a taxonomy looks like 208600000X or 2086*".to_owned())
    }
}
