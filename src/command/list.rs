//! `--list [N]` of a dry run: the first items that the run would change, each with its local time and the reason.
//!
//! The items are those that the dry run itself changed and rolled back. The reason is the explanation of each at the
//! instant of the run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::explain::{Judge, Judgement, Kind};
use super::look::{Look, Zones};
use super::{CommandContext, listing, shown};
use crate::db::Key;
use crate::error::Error;
use crate::output::{local_stamp, stamp};
use crate::run::Item;

/// The columns of the table.
const COLUMNS: [&str; 4] = ["item", "facility", "local time", "why"];

/// The items, as text and as JSON.
pub struct List {
    pub text: String,
    pub json: Value,
}

impl List {
    /// Explains the items that a dry run at `now` would have changed.
    pub async fn of<J: Judge>(
        job: &J,
        context: &CommandContext<'_>,
        items: &[Item],
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let zones = Zones::default();
        // Several items may be of one row, each with a verdict of its own.
        let (rows, judged) = context
            .read(async |tx, _| {
                let look = Look::new(tx, now, &zones);
                let scope = job.scope(tx).await?;
                let (mut rows, mut judged) = (vec![], BTreeMap::new());
                for item in items {
                    let row = job.row_of(&look, item).await?;
                    let about = row.map(|row| (row, item.part.clone()));
                    if let Some(about) = about.as_ref().filter(|about| !judged.contains_key(*about)) {
                        judged.insert(about.clone(), job.judge_item(&look, &scope, &about.0, item).await?);
                    }
                    rows.push((item, about));
                }
                Ok((rows, judged))
            })
            .await?;
        let judged = |about: &Option<(Key, String)>| judged.get(about.as_ref()?)?.as_ref();
        let json = rows.iter().map(|(item, about)| shape(item, judged(about))).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(|(item, about)| line(item, judged(about))).collect();
        let mut text = listing(&COLUMNS, &rows, "The run would change nothing.");
        if job.asked().list.is_some_and(|most| most as usize == items.len()) {
            text += &format!("At most {} are listed.\n", items.len());
        }
        Ok(Self { text, json })
    }
}

/// What the run would do with an item, if it does several things, and why, in few words.
fn why<'a>(item: &Item, judged: Option<&'a Judgement>) -> (&'a str, &'a str) {
    let Some(judged) = judged else { return ("", "its row is gone") };
    match judged.verdicts.iter().find(|verdict| verdict.item == *item) {
        Some(verdict) if verdict.due => (&verdict.name, &verdict.why),
        // Before the run the rule does not hold for it.
        Some(verdict) => (&verdict.name, "by what the run changes before"),
        None => ("", "by what the run changes before"),
    }
}

/// What people call an item of this kind: a run may list those of several kinds.
fn called(entity: &str) -> String {
    match entity {
        "appointment" => Kind::VISIT.name.to_owned(),
        "surgical_case" => Kind::CASE.name.to_owned(),
        other => other.replace('_', " "),
    }
}

fn line(item: &Item, judged: Option<&Judgement>) -> Vec<String> {
    let at = judged.and_then(|judged| Some(local_stamp(judged.at?, judged.zone)));
    let facility = judged.and_then(|judged| judged.facility.clone());
    let (name, why) = why(item, judged);
    let separator = if name.is_empty() { "" } else { ": " };
    vec![format!("{} {}", called(item.entity), item.id), shown(facility), shown(at), format!("{name}{separator}{why}")]
}

fn shape(item: &Item, judged: Option<&Judgement>) -> Value {
    let at = judged.and_then(|judged| judged.at);
    let (name, why) = why(item, judged);
    json!({
        "entity": item.entity,
        "id": item.id,
        "facility_id": judged.and_then(|judged| judged.facility.clone()),
        "at": at.map(stamp),
        "local_time": judged.and_then(|judged| Some(local_stamp(judged.at?, judged.zone))),
        "name": (!name.is_empty()).then_some(name),
        "why": why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_called_as_people_call_it() {
        let said = ["appointment", "surgical_case", "alert", "ticket"].map(called);
        assert_eq!(said, ["visit", "case", "alert", "ticket"]);
    }
}
