//! The progress of a run: a bar where stderr is a terminal, else a log line every ten seconds.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use crate::output::log::is_watched;

const LINE_EVERY: Duration = Duration::from_secs(10);
const WITH_END: &str = "sync-practiceq: page {pos} of about {len}, {msg}\n{wide_bar}  {prefix}";
const WITHOUT_END: &str = "{spinner} sync-practiceq: page {pos}, {msg}  {prefix}";

pub struct Progress {
    bar: Option<ProgressBar>,
    last_line: Cell<Instant>,
}

impl Progress {
    /// `pages` is the expected number, where there is one.
    pub fn new(pages: Option<u64>) -> Self {
        let style = ProgressStyle::with_template(if pages.is_some() { WITH_END } else { WITHOUT_END }).ok();
        let bar = style.filter(|_| is_watched());
        let bar = bar.map(|style| ProgressBar::new(pages.unwrap_or(0)).with_style(style).with_message("0 rows"));
        Self { bar, last_line: Instant::now().into() }
    }

    pub fn page_read(&self, pages: u64, rows: u64) {
        match &self.bar {
            Some(bar) => {
                bar.set_prefix("");
                bar.set_message(format!("{rows} rows"));
                bar.set_length(bar.length().unwrap_or(0).max(pages));
                bar.set_position(pages);
            }
            None if self.is_line_due() => info!(pages, rows, "reading appointments"),
            None => {}
        }
    }

    /// The limit of requests is reached, and the run waits.
    pub fn waiting(&self, left: Duration) {
        let seconds = left.as_secs() + 1;
        match &self.bar {
            Some(bar) => {
                bar.set_prefix(format!("waits {seconds} s for the account's limit"));
                bar.tick();
            }
            None if self.is_line_due() => info!(seconds, "waiting for the account's limit of requests"),
            None => {}
        }
    }

    fn is_line_due(&self) -> bool {
        let is_due = self.last_line.get().elapsed() >= LINE_EVERY;
        if is_due {
            self.last_line.set(Instant::now());
        }
        is_due
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
