//! The progress of long work: a bar where standard error is a terminal, a log line every ten seconds where it is not.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use crate::output::log::is_watched;

const LINE_EVERY: Duration = Duration::from_secs(10);
const DRAW_EVERY: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{msg}\n{wide_bar} {bytes}/{total_bytes}  {prefix}  {eta} left";

/// The counters of work that goes on elsewhere, for [`watch`].
#[derive(Debug, Default)]
pub struct Progress {
    pub bytes: AtomicU64,
    pub total: AtomicU64,
    pub rows: AtomicU64,
}

pub struct Bar {
    what: String,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: Cell<Instant>,
    rows: Cell<u64>,
}

impl Bar {
    pub fn new(what: &str) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).ok().filter(|_| is_watched());
        let bar = style.map(|style| ProgressBar::new(0).with_style(style).with_message(what.to_owned()));
        let now = Instant::now();
        Self { what: what.to_owned(), bar, began: now, last_line: now.into(), rows: 0.into() }
    }

    pub fn bytes(&self, bytes: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_length(total.unwrap_or(bytes));
            bar.set_position(bytes);
            return;
        }
        if self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            let left = total.filter(|_| bytes > 0).map(|total| {
                (self.began.elapsed().as_secs_f64() * total.saturating_sub(bytes) as f64 / bytes as f64).round()
            });
            let rows = Some(self.rows.get()).filter(|rows| *rows > 0);
            let rows_per_second = rows.map(|_| self.rows_per_second());
            info!(bytes, total, rows, rows_per_second, seconds_left = left, "{}", self.what);
        }
    }

    fn rows(&self, rows: u64) {
        self.rows.set(rows);
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{rows} rows, {:.0}/s", self.rows_per_second()));
        }
    }

    fn rows_per_second(&self) -> f64 {
        (self.rows.get() as f64 / self.began.elapsed().as_secs_f64().max(0.001)).round()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows that work goes on whose progress is not known.
pub async fn with_spinner<T>(what: &str, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let spinner = is_watched().then(|| ProgressBar::new_spinner().with_message(what.to_owned()));
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + LINE_EVERY, LINE_EVERY);
    if let Some(spinner) = &spinner {
        spinner.enable_steady_tick(DRAW_EVERY);
    }
    tokio::pin!(work);
    let value = loop {
        tokio::select! {
            value = &mut work => break value,
            _ = ticks.tick() => {
                if spinner.is_none() {
                    info!(seconds = began.elapsed().as_secs(), "{what}");
                }
            }
        }
    };
    if let Some(spinner) = spinner {
        spinner.finish_and_clear();
    }
    value
}

/// Shows the progress of work until it ends.
pub async fn watch<T>(what: &str, progress: &Progress, work: impl Future<Output = T>) -> T {
    let bar = Bar::new(what);
    let mut ticks = tokio::time::interval(DRAW_EVERY);
    tokio::pin!(work);
    loop {
        tokio::select! {
            value = &mut work => return value,
            _ = ticks.tick() => {
                bar.rows(progress.rows.load(Ordering::Relaxed));
                bar.bytes(progress.bytes.load(Ordering::Relaxed), Some(progress.total.load(Ordering::Relaxed)));
            }
        }
    }
}
