//! The signals that stop a run in order: SIGHUP, SIGINT and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::halt::{Halt, Signal};

/// Stops the run at the first signal. The signals are heard as soon as this returns.
pub fn stop_at_signal(stop: watch::Sender<Option<Halt>>) -> Option<JoinHandle<()>> {
    let survives_terminal = ignores_hangup();
    let kinds = [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()];
    let [Ok(mut hangup), Ok(mut interrupt), Ok(mut terminate)] = kinds.map(signal) else {
        warn!("signals cannot be heard; the run ends at its deadline at the latest");
        return None;
    };
    Some(tokio::spawn(async move {
        let signal = tokio::select! {
            _ = hangup.recv(), if !survives_terminal => Signal::Hangup,
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
        };
        let halt = Halt::Stopped(signal);
        info!("{}: stopping after this batch", halt.code());
        stop.send_replace(Some(halt));
    }))
}

/// Whether the process was started to outlive its terminal, as by nohup. To hear a signal ends that it is ignored.
pub fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
