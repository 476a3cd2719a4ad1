//! `rounds npi get`: shows the stored row of a provider, or the last full line of a file, byte for byte.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::loaded::check_loaded;
use crate::clinic::actor::refused;
use crate::clinic::npi::raw;
use crate::command::{CommandContext, Output, listing};
use crate::db::statements;
use crate::error::{Error, ErrorKind};

statements! {
    // json, not jsonb: it keeps the order of the columns.
    PROVIDER(INT8) = format!(
        "SELECT to_json(d) AS stored, {active} AS active, f.name AS file, d.raw,
                (SELECT json_agg(json_build_object('name', o.name, 'kind', o.kind) ORDER BY o.number)
                 FROM npi_other_names o WHERE o.npi = d.npi) AS other_names
         FROM npi_data d LEFT JOIN npi_files f ON f.id = d.file_id WHERE d.npi = $1",
        active = include_str!("active.part.sql")
    );
}

/// Columns that are of use inside the program only.
const INTERNAL_COLUMNS: [&str; 4] = ["raw", "hash", "letter", "file_id"];

/// Show all that is stored of a provider
#[derive(Args, Debug)]
pub struct GetArgs {
    #[arg(value_name = "NPI", value_parser = npi)]
    npi: i64,
    /// csv: the last full row as it was in its file, byte for byte
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
}

impl GetArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let row = context
            .read(async |tx, _| {
                check_loaded(tx).await?;
                PROVIDER.opt(tx, &[&self.npi]).await
            })
            .await?;
        let Some(row) = row else {
            return Err(refused("UNKNOWN_NPI", format!("the registry does not know {}", self.npi)));
        };
        if self.format == Some(Format::Csv) {
            let line = row.get::<_, Option<&[u8]>>("raw").and_then(raw::decode);
            let none = || {
                let message = format!("of {} there was never a full row, only that it is deactivated", self.npi);
                Error::new("NO_ROW", ErrorKind::Other, message)
            };
            let mut line = line.ok_or_else(none)?;
            line.push(b'\n');
            return Ok(Output::bytes(line));
        }
        let mut all = Map::new();
        if let Value::Object(stored) = row.get::<_, Value>("stored") {
            all.extend(stored.into_iter().filter(|(key, _)| !INTERNAL_COLUMNS.contains(&key.as_str())));
        }
        all.insert("other_names".into(), row.get::<_, Option<Value>>("other_names").unwrap_or_else(|| json!([])));
        all.insert("active".into(), json!(row.get::<_, bool>("active")));
        all.insert("file".into(), json!(row.get::<_, Option<&str>>("file")));
        let rows: Vec<_> = all
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| vec![key.clone(), plain(value)])
            .collect();
        let text = listing(&["", "stored"], &rows, "");
        Ok(Output::done(Value::Object(all), text))
    }
}

pub fn npi(text: &str) -> Result<i64, String> {
    crate::clinic::npi::parse(text)
        .ok_or_else(|| "is no NPI: ten digits, the last of which checks the others".to_owned())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        // Another name.
        Value::Object(name) => match (&name["name"], &name["kind"]) {
            (name, Value::String(kind)) => format!("{} ({kind})", plain(name)),
            (name, _) => plain(name),
        },
        other => other.to_string(),
    }
}
