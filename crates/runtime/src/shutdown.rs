//! The two tokens a service stops by.
//!
//! *Soft*: take no new work, finish what you hold. *Hard*: stop where you are; what is unfinished is delivered again.
//! Hard implies soft, so a loop that watches only one of them watches the right one. The first reason to stop is kept:
//! the stop line names it.

use std::fmt;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// Why a process stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The body returned: nothing is left to do.
    Finished,
    /// A signal asked for it.
    Signal(&'static str),
    /// The named task failed or panicked.
    TaskFailed(String),
    /// The service itself asked for it, in its own words.
    Requested(&'static str),
}

/// Why a soft shutdown became a hard one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Work in hand outlasted `shutdown.grace`.
    GraceOver,
    /// A second signal.
    SecondSignal,
}

/// Both tokens and the reasons. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
    reason: Arc<OnceLock<Reason>>,
    force: Arc<OnceLock<Force>>,
}

impl Shutdown {
    /// A pair that nobody has triggered.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled: take no new work, finish what you hold.
    #[must_use]
    pub fn soft(&self) -> &CancellationToken {
        &self.soft
    }

    /// Cancelled: stop now.
    #[must_use]
    pub fn hard(&self) -> &CancellationToken {
        &self.hard
    }

    /// Starts the soft shutdown. Only the first reason counts.
    pub fn begin(&self, reason: Reason) {
        // A loser's reason is of no interest: the shutdown it asks for is under way.
        let _ = self.reason.set(reason);
        self.soft.cancel();
    }

    /// Makes it hard.
    pub fn force(&self, force: Force) {
        let _ = self.force.set(force);
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Why the process stops; `None` while nobody asked.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        self.reason.get()
    }

    /// Why the shutdown became hard; `None` while it has not.
    #[must_use]
    pub fn forced(&self) -> Option<Force> {
        self.force.get().copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Signal(name) => f.write_str(name),
            Self::TaskFailed(task) => write!(f, "task {task} failed"),
            Self::Requested(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hard_implies_soft_and_the_first_reason_is_kept() {
        let shutdown = Shutdown::new();
        shutdown.begin(Reason::Signal("SIGTERM"));
        assert!(shutdown.soft().is_cancelled() && !shutdown.hard().is_cancelled());
        shutdown.begin(Reason::Finished);
        assert_eq!(shutdown.reason(), Some(&Reason::Signal("SIGTERM")));

        let other = Shutdown::new();
        other.force(Force::GraceOver);
        assert!(other.soft().is_cancelled() && other.hard().is_cancelled());
    }
}
