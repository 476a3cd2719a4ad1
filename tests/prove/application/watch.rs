//! Who waits for whom: a look at the locks each few milliseconds, which tells a wait for a job from a slow machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clinic::Clinic;
use crate::support::connect;

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// How long a statement of the application has been at work that waits for a lock of a job, in milliseconds.
const LOOK: &str = "
    SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - waiting.query_start) * 1000), 0)::bigint
    FROM pg_stat_activity waiting
    JOIN pg_stat_activity holder ON holder.pid = ANY (pg_blocking_pids(waiting.pid))
    WHERE waiting.datname = current_database() AND waiting.application_name = 'application'
      AND waiting.wait_event_type = 'Lock' AND holder.application_name LIKE 'rounds/%'";

pub struct Watch {
    stop: Arc<AtomicBool>,
    longest: JoinHandle<i64>,
}

impl Watch {
    pub async fn start(clinic: &Clinic) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (client, stopped) = (connect(&clinic.site.server.url(&clinic.name)).await, stop.clone());
        let longest = tokio::spawn(async move {
            let mut longest = 0;
            while !stopped.load(Ordering::Relaxed) {
                longest = longest.max(client.query_one(LOOK, &[]).await.map_or(0, |row| row.get(0)));
                sleep(BETWEEN_LOOKS).await;
            }
            longest
        });
        Self { stop, longest }
    }

    /// The longest that was seen.
    pub async fn end(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        Duration::from_millis(self.longest.await.expect("no panic").unsigned_abs())
    }
}
