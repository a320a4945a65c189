//! Who may begin a turn at this moment, beyond there being a free permit.
//!
//! Two things would let some chains delay all others: sources that answer slowly and hold their permits for long, and a process that
//! finds thousands of chains due at once when it starts. The first may together take only a part of the permits. Of the second, some
//! begin at once and the rest go to their places in the interval, which they would come to in any case.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A turn that took longer makes its chain a slow one until it is quicker.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// Chains new to this process that may begin within [`WINDOW`].
const STARTS: usize = 128;
const WINDOW: Duration = Duration::from_secs(5);

/// Bounds on who works at once.
pub(crate) struct Lanes {
    slow: Arc<Semaphore>,
    starts: Mutex<(Instant, usize)>,
}

impl Lanes {
    /// For a process with so many permits: slow chains get three quarters of them.
    pub(crate) fn new(permits: NonZeroUsize) -> Self {
        let slow = (permits.get() - permits.get() / 4).max(1);
        Self { slow: Arc::new(Semaphore::new(slow)), starts: Mutex::new((Instant::now(), 0)) }
    }

    /// Room for a slow chain, if there is any.
    pub(crate) fn slow(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.slow).try_acquire_owned().ok()
    }

    /// Whether a chain that is new to this process may begin at once.
    pub(crate) fn start(&self, now: Instant) -> bool {
        let mut starts = self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(starts.0) >= WINDOW {
            *starts = (now, 0);
        }
        starts.1 += 1;
        starts.1 <= STARTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_chains_leave_permits_to_others() {
        for (permits, expect) in [(1, 1), (2, 2), (4, 3), (64, 48)] {
            let lanes = Lanes::new(NonZeroUsize::new(permits).unwrap());
            let taken: Vec<_> = std::iter::from_fn(|| lanes.slow()).collect();
            assert_eq!(taken.len(), expect, "{permits}");
        }
    }

    #[test]
    fn some_start_at_once_and_more_a_while_later() {
        let lanes = Lanes::new(NonZeroUsize::MIN);
        let now = Instant::now();
        let starts = |now| (0..2 * STARTS).filter(|_| lanes.start(now)).count();
        assert_eq!((starts(now), starts(now), starts(now + WINDOW)), (STARTS, 0, STARTS));
    }
}
