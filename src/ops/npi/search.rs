//! `rounds npi search`: providers by the beginning of their name; by a similar name where none begins so.

use clap::Args;
use serde_json::{Value, json};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Row, Transaction};

use crate::clinic::actor::refused;
use crate::clinic::npi::{fold, letter};
use crate::command::{CommandContext, Output, listing, shown};
use crate::error::Error;

/// Taxonomies of surgeons: codes, and beginnings of codes.
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
    #[arg(long)]
    state: Option<String>,
    /// In this city
    #[arg(long)]
    city: Option<String>,
    /// The beginning of a ZIP code
    #[arg(long, value_parser = digits)]
    zip: Option<String>,
    /// A primary taxonomy; a * at its end stands for anything
    #[arg(long, value_name = "CODE", value_parser = taxonomy)]
    taxonomy: Option<String>,
    /// Only whose primary taxonomy is a surgeon's
    #[arg(long)]
    surgeons: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

impl SearchArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut folded = String::new();
        fold(&self.name.join(" "), &mut folded);
        if folded.is_empty() {
            return Err(refused("NO_NAME", "NAME is empty".into()));
        }
        let (approximate, rows) = context
            .read(async |tx, _| {
                let rows = self.beginning(tx, &folded).await?;
                if rows.is_empty() && trigrams(tx).await? {
                    return Ok((true, self.similar(tx, &folded).await?));
                }
                Ok((false, rows))
            })
            .await?;
        let results: Vec<Value> = rows.iter().map(|row| self.shape(row)).collect();
        let approximate = approximate && !results.is_empty();
        let mut text =
            listing(self.names(), &rows.iter().map(|row| self.cells(row)).collect::<Vec<_>>(), "Nobody is called so.");
        if approximate {
            text.insert_str(0, "No name begins so; these are similar:\n");
        }
        Ok(Output::done(json!({ "approximate": approximate, "results": results }), text))
    }

    /// The search table, and the columns of a name.
    fn table(&self) -> (&'static str, &'static str) {
        if self.facility {
            ("search_facility", "x.facility_name")
        } else {
            ("search_surgeon", "x.last_name, x.first_name")
        }
    }

    /// In the order of the index, so that it is read no further than is shown.
    async fn beginning(&self, tx: &Transaction<'_>, folded: &str) -> Result<Vec<Row>, Error> {
        let range = "x.letter = $1 AND x.folded COLLATE \"C\" >= $2 AND x.folded COLLATE \"C\" < $3";
        // No text sorts behind the last of all characters.
        let end = format!("{folded}\u{10ffff}");
        self.select(tx, (range, ""), (folded, &end)).await
    }

    /// In all letters: the typing error may be in the first.
    async fn similar(&self, tx: &Transaction<'_>, folded: &str) -> Result<Vec<Row>, Error> {
        tx.batch_execute("SET LOCAL pg_trgm.word_similarity_threshold = 0.5; SET LOCAL enable_seqscan = off").await?;
        self.select(tx, ("$2 <% x.folded", "word_similarity($2, x.folded) DESC,"), (folded, folded)).await
    }

    async fn select(
        &self,
        tx: &Transaction<'_>,
        (condition, order): (&str, &str),
        (from, to): (&str, &str),
    ) -> Result<Vec<Row>, Error> {
        let (table, name) = self.table();
        let select = format!(
            "SELECT x.npi, {name}, x.address, x.city, x.state, x.zip, x.primary_taxonomy FROM {table} x
             WHERE {condition} AND {FILTERS} ORDER BY {order} x.folded COLLATE \"C\", x.npi LIMIT $4"
        );
        let letter = letter(from).cast_signed();
        let surgical = self.surgeons.then_some(SURGICAL);
        let zip = self.zip.as_ref().map(|zip| format!("{zip}%"));
        let parameters: [(&(dyn ToSql + Sync), Type); 9] = [
            (&letter, Type::CHAR),
            (&from, Type::TEXT),
            (&to, Type::TEXT),
            (&self.limit, Type::INT8),
            (&self.state, Type::TEXT),
            (&self.city, Type::TEXT),
            (&zip, Type::TEXT),
            (&self.taxonomy, Type::TEXT),
            (&surgical, Type::TEXT_ARRAY),
        ];
        Ok(tx.query_typed(&select, &parameters).await?)
    }

    fn names(&self) -> &'static [&'static str] {
        match self.facility {
            true => &["npi", "facility", "address", "city", "state", "zip", "taxonomy"],
            false => &["npi", "last name", "first name", "address", "city", "state", "zip", "taxonomy"],
        }
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let texts = (1..row.len()).map(|column| shown(row.get::<_, Option<&str>>(column)));
        std::iter::once(row.get::<_, i64>("npi").to_string()).chain(texts).collect()
    }

    fn shape(&self, row: &Row) -> Value {
        let mut out = serde_json::Map::new();
        out.insert("npi".into(), json!(row.get::<_, i64>("npi")));
        for (index, column) in row.columns().iter().enumerate().skip(1) {
            out.insert(column.name().to_owned(), json!(row.get::<_, Option<&str>>(index)));
        }
        Value::Object(out)
    }
}

const FILTERS: &str = "($5 IS NULL OR x.state = upper($5)) AND ($6 IS NULL OR upper(x.city) = upper($6))
             AND ($7 IS NULL OR x.zip LIKE $7) AND ($8 IS NULL OR x.primary_taxonomy LIKE $8)
             AND ($9::text[] IS NULL OR x.primary_taxonomy LIKE ANY ($9))";

/// Whether names can be compared by their trigrams.
async fn trigrams(tx: &Transaction<'_>) -> Result<bool, Error> {
    let query = "SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm')
                        AND to_regclass('search_surgeon_trigrams') IS NOT NULL";
    Ok(tx.query_typed_one(query, &[]).await?.get(0))
}

fn digits(text: &str) -> Result<String, String> {
    let good = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if good { Ok(text.to_owned()) } else { Err("a ZIP code is up to nine digits".to_owned()) }
}

/// A code as a pattern of LIKE.
fn taxonomy(text: &str) -> Result<String, String> {
    let (code, any) = text.strip_suffix('*').map_or((text, ""), |code| (code, "%"));
    let good = code.len() <= 10 && !text.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if good {
        Ok(format!("{}{any}", code.to_ascii_uppercase()))
    } else {
        Err("a taxonomy looks like 208600000X or 2086*".to_owned())
    }
}
