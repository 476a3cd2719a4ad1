//! `rounds npi verify`: says of each NPI whether it is well formed, known and active.

use std::collections::HashMap;

use clap::Args;
use serde_json::{Value, json};

use super::loaded::check_loaded;
use crate::clinic::npi;
use crate::command::{CommandContext, Output, listing};
use crate::db::{Row, statements};
use crate::error::Error;
use crate::exit::Exit;

statements! {
    PROVIDERS(INT8_ARRAY) = format!(
        "SELECT d.npi, {active} AS active, d.deactivated_on FROM npi_data d WHERE d.npi = ANY ($1)",
        active = include_str!("active.part.sql")
    );
}

/// Say of each NPI whether it is well formed, known and active; exit 0 when all are, 1 when not
#[derive(Args, Debug)]
pub struct VerifyArgs {
    #[arg(value_name = "NPI", required = true, num_args = 1..=10_000)]
    npis: Vec<String>,
}

impl VerifyArgs {
    pub async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let numbers: Vec<Option<i64>> = self.npis.iter().map(|text| npi::parse(text)).collect();
        let valid: Vec<i64> = numbers.iter().flatten().copied().collect();
        let rows = context
            .read(async |tx, _| {
                check_loaded(tx).await?;
                PROVIDERS.all(tx, &[&valid]).await
            })
            .await?;
        let stored: HashMap<i64, &Row> = rows.iter().map(|row| (row.get("npi"), row)).collect();
        let answers: Vec<Value> = self
            .npis
            .iter()
            .zip(&numbers)
            .map(|(text, number)| {
                let row = number.and_then(|number| stored.get(&number));
                let active = row.map(|row| row.get::<_, bool>("active"));
                json!({
                    "npi": text,
                    "check_digit": number.is_some(),
                    "known": row.is_some(),
                    "active": active,
                    "deactivated_on": row.and_then(|row| row.get::<_, Option<chrono::NaiveDate>>("deactivated_on")),
                })
            })
            .collect();
        let all_active = answers.iter().all(|answer| answer["active"] == true);
        let text = listing(
            &["npi", "check digit", "known", "active", "deactivated on"],
            &answers.iter().map(cells).collect::<Vec<_>>(),
            "",
        );
        let exit = if all_active { Exit::Done } else { Exit::Failed };
        Ok(Output::new(exit, json!({ "npis": answers }), text))
    }
}

fn cells(answer: &Value) -> Vec<String> {
    let word = |key: &str| match &answer[key] {
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    ["npi", "check_digit", "known", "active", "deactivated_on"].map(word).to_vec()
}
