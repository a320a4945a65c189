//! Signals become shutdowns.
//!
//! The first SIGTERM or SIGINT is a request to finish, the second one an order to stop. Registering is a step of its own,
//! before the start line: whoever has seen that line may send signals.

use crate::shutdown::{Force, Reason, Shutdown};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both registered signals.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Replaces the process' default reaction to SIGTERM and SIGINT. Needs a tokio runtime.
    pub fn register() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Turns the first signal into a soft shutdown and the second into a hard one, then returns.
    pub async fn drive(mut self, shutdown: Shutdown) {
        shutdown.begin(Reason::Signal(self.next().await));
        // The shutdown may have begun for another reason: one signal is then still a request to finish.
        self.next().await;
        shutdown.force(Force::SecondSignal);
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
