//! What a file changes of the providers that are watched (`rounds npi watch`): it is recorded with the merge, reported by
//! the run, and told to the admins of the facilities that watch.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use tokio_postgres::Transaction;

use super::todo::Todo;
use crate::db::statements;
use crate::error::Error;
use crate::run::{AdminNotice, Run};

statements! {
    RECORD_CHANGES[todo: Todo = Todo::examples()](INT8) =
        format!(include_str!("record_changes.sql"), rows = todo.rows());
    // $1 the file's id bigint
    CHANGES(INT8) =
        "SELECT c.npi, array_agg(DISTINCT c.change ORDER BY c.change) AS changes,
                ARRAY(SELECT w.facility_id FROM npi_watch w WHERE w.npi = c.npi ORDER BY w.facility_id) AS facilities
         FROM npi_changes c WHERE c.file_id = $1 GROUP BY c.npi ORDER BY c.npi";
}

/// So many NPIs are named in a notice.
const NAMED_MAX: usize = 20;

/// A watched provider, and what has changed of it.
#[derive(Debug, Serialize)]
pub struct Changed {
    /// The provider.
    npi: i64,
    /// What has changed: deactivated, renamed, moved.
    changes: Vec<String>,
    #[serde(skip)]
    facilities: Vec<String>,
}

/// Records the changes that the rows make; it must come before they are made.
pub async fn record(tx: &Transaction<'_>, todo: &Todo, file: i64) -> Result<(), Error> {
    RECORD_CHANGES.with(todo).execute(tx, &[&file]).await.map(drop)
}

/// The recorded changes of a file.
pub async fn changes(tx: &Transaction<'_>, file: i64) -> Result<Vec<Changed>, Error> {
    let rows = CHANGES.all(tx, &[&file]).await?;
    let changed = |row: &crate::db::Row| Changed {
        npi: row.get("npi"),
        changes: row.get("changes"),
        facilities: row.get("facilities"),
    };
    Ok(rows.iter().map(changed).collect())
}

/// Tells the admins of each facility, once a file.
pub async fn tell(tx: &Transaction<'_>, run: &Run, name: &str, sha256: &str, changed: &[Changed]) -> Result<(), Error> {
    let mut by_facility: BTreeMap<&str, Vec<&Changed>> = BTreeMap::new();
    for change in changed {
        for facility in &change.facilities {
            by_facility.entry(facility).or_default().push(change);
        }
    }
    for (facility, changed) in by_facility {
        let notice = AdminNotice {
            facility: Some(facility).filter(|facility| !facility.is_empty()),
            kind: "NPI_CHANGED",
            title: "Watched providers have changed in the registry".to_owned(),
            body: body(name, &changed),
            placeholders: json!({ "providers": changed.len(), "file": name }),
            entity: "npi_file",
            entity_id: name.to_owned(),
            episode: format!("npi_changed:{}:{facility}", &sha256[..12]),
        };
        notice.stage(tx, run.now, run.id).await?;
    }
    Ok(())
}

fn body(name: &str, changed: &[&Changed]) -> String {
    let words = |change: &&&Changed| format!("{} ({})", change.npi, change.changes.join(", ").to_lowercase());
    let named: Vec<String> = changed.iter().take(NAMED_MAX).map(|change| words(&change)).collect();
    let more = changed.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("In {name}: {}{more}. `rounds npi watch changes` shows what they were and are.", named.join("; "))
}
