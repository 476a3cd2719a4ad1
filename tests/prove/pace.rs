//! How long a job takes, measured, so that a moment can be chosen in the middle of its work.

use std::time::{Duration, Instant};

use super::clinic::{Site, things};
use super::form::Form;
use super::work::{WORKS, Work};

/// The rows of a batch while it is measured.
const BATCH_ROWS: i64 = 10;

#[derive(Clone, Copy)]
pub struct Pace {
    /// From the start to the end of a run with nothing to do.
    idle: Duration,
    /// Of one batch more.
    batch: Duration,
}

impl Pace {
    /// Of each job on the server that the proofs share, in the order of `WORKS`.
    pub async fn shared(site: Site, form: &Form) -> &'static [Self] {
        static MEASURED: tokio::sync::OnceCell<Vec<Pace>> = tokio::sync::OnceCell::const_new();
        let measure = async || {
            let mut paces = vec![];
            // The short form takes the first for all: they differ, but by less than what is random.
            let measured = if form.is_short() { 1 } else { WORKS.len() };
            for work in &WORKS[..measured] {
                paces.push(Self::measure(site, work, things(form)).await);
            }
            paces.resize(WORKS.len(), paces[0]);
            paces
        };
        MEASURED.get_or_init(measure).await
    }

    pub async fn measure(site: Site, work: &'static Work, things: i64) -> Self {
        let clinic = site.clinic(work).await;
        let timed = async || {
            let began = Instant::now();
            clinic.run(work, &["--batch-rows", &BATCH_ROWS.to_string()]).await.expect(0);
            began.elapsed()
        };
        let full = timed().await;
        let idle = timed().await.min(timed().await);
        clinic.end().await;
        let batches = (things * work.record.rows / BATCH_ROWS) as u32;
        Self { idle, batch: full.saturating_sub(idle) / batches }
    }

    /// A moment after a start, from soon after the claim is asked for to the end of so many batches.
    pub fn moment(&self, rng: &mut fastrand::Rng, batches: u32) -> Duration {
        let (from, to) = (self.idle / 4, self.idle + self.batch * batches);
        from + (to - from).mul_f64(rng.f64())
    }

    /// A moment after the claim, within so many batches.
    pub fn moment_at_work(&self, rng: &mut fastrand::Rng, batches: u32) -> Duration {
        (self.idle / 3 + self.batch * batches).mul_f64(rng.f64())
    }

    /// How many batches a run has before it, at most so many.
    pub fn batches(left: i64, batch_rows: i64, at_most: i64) -> u32 {
        (left / batch_rows + 1).clamp(1, at_most) as u32
    }
}
