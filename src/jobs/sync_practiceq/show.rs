//! How far the reading is: a bar when a person looks, log lines when not.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

const LINE_EVERY: Duration = Duration::from_secs(10);
const WITH_END: &str = "sync-practiceq: page {pos} of about {len}, {msg}\n{wide_bar}  {prefix}";
const WITHOUT_END: &str = "{spinner} sync-practiceq: page {pos}, {msg}  {prefix}";

pub struct Show {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Show {
    /// `pages`: how many there are likely to be.
    pub fn new(pages: Option<u64>) -> Self {
        let style = ProgressStyle::with_template(if pages.is_some() { WITH_END } else { WITHOUT_END }).ok();
        let bar = style.filter(|_| std::io::stderr().is_terminal());
        let bar = bar.map(|style| ProgressBar::new(pages.unwrap_or(0)).with_style(style).with_message("0 rows"));
        Self { bar, last_line: Instant::now().into() }
    }

    pub fn read(&self, pages: u64, rows: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix("");
                bar.set_message(format!("{rows} rows"));
                bar.set_length(bar.length().unwrap_or(0).max(pages));
                bar.set_position(pages);
            }
            None if self.is_time() => info!(pages, rows, "reading appointments"),
            None => {}
        }
    }

    /// The limit of requests is reached.
    pub fn waits(&self, left: Duration) {
        let seconds = left.as_secs() + 1;
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(format!("waits {seconds} s for the account's limit"));
                bar.tick();
            }
            None if self.is_time() => info!(seconds, "waiting for the account's limit of requests"),
            None => {}
        }
    }

    fn is_time(&self) -> bool {
        let is_time = self.last_line.get().elapsed() >= LINE_EVERY;
        if is_time {
            self.last_line.set(Instant::now());
        }
        is_time
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
