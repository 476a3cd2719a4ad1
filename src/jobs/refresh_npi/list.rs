//! `rounds refresh-npi --list`: the files of the page, the files that were loaded, and those that a run would load now.

use serde_json::{Value, json};

use super::args::RefreshNpi;
use super::fetch::Source;
use super::ledger::{Ledger, LoadedFile};
use super::names::Name;
use super::plan::next;
use crate::command::{CommandContext, Mode, Operation, Output, listing};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::stamp;
use crate::retry::Retry;
use crate::run::JobArgs;

/// The options of the run that is listed.
pub struct List {
    job: RefreshNpi,
    retry: Retry,
}

impl Mode for List {
    type Job = RefreshNpi;

    fn of(args: Box<JobArgs<RefreshNpi>>) -> Result<Self, Box<JobArgs<RefreshNpi>>> {
        match args.job.list {
            true => Ok(Self { retry: args.run.retry(None), job: args.job }),
            false => Err(args),
        }
    }
}

impl Operation for List {
    const NAME: &'static str = "refresh-npi";

    async fn execute(&self, context: &CommandContext<'_>) -> Result<Output, Error> {
        let mut ledger = context.read(async |tx, _| Ledger::read(tx).await).await?;
        let page = tokio::time::timeout(context.limit, Source::new(&self.job.base_url, self.retry)).await;
        let page = page.unwrap_or_else(|_| Err(context.no_answer()));
        let loaded: Vec<Value> = ledger.files.iter().map(shape).collect();
        let mut again = vec![];
        let (names, mut error) = match page {
            Ok(source) => {
                again = published_again(&source, &ledger).await;
                (source.names, None)
            }
            Err(error) => (vec![], Some(error.to_string())),
        };
        let unreadable = error.is_some();
        let mut would_load = vec![];
        if !unreadable {
            error = self.plan(&names, &mut ledger, &mut would_load).err().map(|error| error.to_string());
        }
        if self.job.again {
            would_load.splice(..0, again.iter().cloned());
        }
        let text = text(&names, &loaded, (&would_load, &again), error.as_deref());
        let page: Vec<Value> = names
            .iter()
            .map(|name| json!({ "name": name.text, "kind": name.kind.as_str(), "period_end": name.end }))
            .collect();
        let json = json!({ "page": page, "ledger": loaded, "would_load": would_load, "published_again": again,
                          "error": error });
        Ok(Output::new(if unreadable { Exit::Failed } else { Exit::Done }, json, text))
    }
}

impl List {
    /// Plans as a run does, file by file. Where it fails, `would_load` keeps the files before the failure.
    fn plan(&self, names: &[Name], ledger: &mut Ledger, would_load: &mut Vec<String>) -> Result<(), Error> {
        while let Some(name) = next(names, ledger, self.job.full)? {
            ledger.assume_loaded(&name);
            would_load.push(name.text);
        }
        Ok(())
    }
}

/// The files of the page that are others by now than were loaded under their names.
async fn published_again(source: &Source, ledger: &Ledger) -> Vec<String> {
    let mut again = vec![];
    for name in &source.names {
        let Some(loaded) = ledger.named(&name.text) else { continue };
        let published = source.published(&name.text).await.unwrap_or_default();
        if loaded.differs_from(&published).is_some() {
            again.push(name.text.clone());
        }
    }
    again
}

fn shape(file: &LoadedFile) -> Value {
    json!({
        "name": file.name,
        "kind": file.kind.as_str(),
        "period_start": file.start,
        "period_end": file.end,
        "rows": file.rows,
        "processed_at": stamp(file.processed_at),
    })
}

fn text(names: &[Name], loaded: &[Value], (would_load, again): (&[String], &[String]), error: Option<&str>) -> String {
    let mut rows: Vec<Vec<String>> = vec![];
    for name in names {
        let known =
            loaded.iter().rfind(|file| file["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&name.text)));
        let state = match known {
            Some(_) if again.contains(&name.text) => "published again; --again loads it".to_owned(),
            Some(file) => format!("loaded {}", file["processed_at"].as_str().unwrap_or_default()),
            None if would_load.contains(&name.text) => "would be loaded".to_owned(),
            None => "covered by a newer one".to_owned(),
        };
        rows.push(vec![name.text.clone(), name.kind.as_str().to_owned(), name.end.to_string(), state]);
    }
    let gone = loaded.iter().filter(|file| {
        !names.iter().any(|name| file["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&name.text)))
    });
    for file in gone {
        let word = |key: &str| file[key].as_str().unwrap_or_default().to_owned();
        rows.push(vec![word("name"), word("kind"), word("period_end"), format!("loaded {}", word("processed_at"))]);
    }
    let mut text =
        listing(&["file", "kind", "ends", "state"], &rows, "Nothing is on the page, and nothing was loaded.");
    if let Some(error) = error {
        text.push_str(&format!("{error}\n"));
    }
    text
}
