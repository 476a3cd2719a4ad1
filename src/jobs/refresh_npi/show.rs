//! How far a long piece of work is: a bar when a person looks, a log line every ten seconds when not.

use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use super::stage::Progress;

const LINE_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const TEMPLATE: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left {prefix}";

pub struct Bar {
    what: String,
    bar: Option<ProgressBar>,
    began: Instant,
    last_line: std::cell::Cell<Instant>,
}

impl Bar {
    pub fn new(what: &str) -> Self {
        let style = ProgressStyle::with_template(TEMPLATE).ok().filter(|_| std::io::stderr().is_terminal());
        let bar = style.map(|style| ProgressBar::new(0).with_style(style).with_message(what.to_owned()));
        let now = Instant::now();
        Self { what: what.to_owned(), bar, began: now, last_line: now.into() }
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
            info!(bytes, total, seconds_left = left, "{}", self.what);
        }
    }

    fn rows(&self, rows: u64) {
        let each_second = rows as f64 / self.began.elapsed().as_secs_f64().max(0.001);
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{rows} rows, {each_second:.0}/s"));
        }
    }

    pub fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Shows how far some work is until it is done.
pub async fn watch<T>(what: &str, progress: &Progress, work: impl Future<Output = T>) -> T {
    let bar = Bar::new(what);
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    tokio::pin!(work);
    loop {
        tokio::select! {
            value = &mut work => {
                bar.done();
                return value;
            }
            _ = ticks.tick() => {
                bar.rows(progress.rows.load(Ordering::Relaxed));
                bar.bytes(progress.bytes.load(Ordering::Relaxed), Some(progress.total.load(Ordering::Relaxed)));
            }
        }
    }
}
