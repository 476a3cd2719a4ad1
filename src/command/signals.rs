//! The signals that end a command which is no run: SIGHUP, SIGINT and SIGTERM.

use std::io;

use futures_util::FutureExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;
use crate::run::ignores_hangup;

pub struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    survives_terminal: bool,
}

impl Signals {
    /// They are heard as soon as this returns, and end the process no more by themselves.
    pub fn listen() -> io::Result<Self> {
        let survives_terminal = ignores_hangup();
        let [hangup, interrupt, terminate] =
            [SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate()].map(signal);
        Ok(Self { hangup: hangup?, interrupt: interrupt?, terminate: terminate?, survives_terminal })
    }

    /// Waits for a signal; the exit that belongs to it.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.hangup.recv(), if !self.survives_terminal => Exit::HungUp,
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }

    /// The exit of a signal that has come.
    pub fn heard(&mut self) -> Option<Exit> {
        self.next().now_or_never()
    }
}
