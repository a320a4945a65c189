//! Who may begin a turn at this moment, beyond there being a free permit.
//!
//! A turn that waits for an answer holds next to nothing, and of ten thousand sources a hundred and more always wait. A turn that has its
//! answer holds a page. So more turns are under way than pages may be held, and a turn asks for room before it reads an answer's body. Who
//! reads the past again asks for the same room, of which a quarter at most is theirs.
//!
//! Two things would let some chains delay all others: sources that answer slowly and hold their permits for long, and a process that
//! finds thousands of chains due at once when it starts. The first may together take only a part of the room for pages. Of the second, some
//! begin at once and the rest go to their places in the interval, which they would come to in any case.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A turn that took longer makes its chain a slow one until it is quicker.
pub(crate) const SLOW: Duration = Duration::from_secs(5);

/// Chains new to this process that may begin within [`WINDOW`].
const STARTS: usize = 128;
const WINDOW: Duration = Duration::from_secs(5);

const NEVER_CLOSED: &str = "the semaphore is never closed";

/// How long a poll's answer waits for room. Its turn is to be over before anybody who watches its chain takes the fetcher for dead, so
/// answers that drip can delay others and not silence them.
const ROOM_WITHIN: Duration = Duration::from_secs(30);

/// Turns under way for each page that may be held.
const TURNS: usize = 4;

/// Bounds on who works at once.
pub(crate) struct Lanes {
    turns: Arc<Semaphore>,
    pages: Semaphore,
    past: Semaphore,
    slow: Arc<Semaphore>,
    starts: Mutex<(Instant, usize)>,
}

impl Lanes {
    /// For a process that may hold so many pages: slow chains get three quarters of the room.
    pub(crate) fn new(pages: NonZeroUsize) -> Self {
        let pages = pages.get();
        Self {
            turns: Arc::new(Semaphore::new(pages.saturating_mul(TURNS).min(Semaphore::MAX_PERMITS))),
            pages: Semaphore::new(pages.min(Semaphore::MAX_PERMITS)),
            past: Semaphore::new((pages / 4).clamp(1, Semaphore::MAX_PERMITS)),
            slow: Arc::new(Semaphore::new((pages - pages / 4).clamp(1, Semaphore::MAX_PERMITS))),
            starts: Mutex::new((Instant::now(), 0)),
        }
    }

    /// Room for one more turn, as soon as there is any.
    pub(crate) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.turns).acquire_owned().await.expect(NEVER_CLOSED)
    }

    /// Room for a poll's page, as soon as there is any; `None`: there was none for [`ROOM_WITHIN`].
    pub(crate) async fn page(&self) -> Option<SemaphorePermit<'_>> {
        tokio::time::timeout(ROOM_WITHIN, self.any_page()).await.ok()
    }

    async fn any_page(&self) -> SemaphorePermit<'_> {
        self.pages.acquire().await.expect(NEVER_CLOSED)
    }

    /// Room for a page of the past, as soon as there is any.
    pub(crate) async fn past_page(&self) -> [SemaphorePermit<'_>; 2] {
        // In this order, those who wait for their share stand in no poll's way.
        let share = self.past.acquire().await.expect(NEVER_CLOSED);
        [share, self.any_page().await]
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
    use futures::FutureExt;

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
    fn more_turns_are_under_way_than_pages_are_held() {
        let lanes = Lanes::new(NonZeroUsize::new(64).unwrap());
        assert_eq!((lanes.turns.available_permits(), lanes.pages.available_permits()), (256, 64));
    }

    #[tokio::test]
    async fn the_past_takes_a_quarter_of_the_room_at_most() {
        for (pages, expect) in [(1, 1), (4, 1), (64, 16)] {
            let lanes = Lanes::new(NonZeroUsize::new(pages).unwrap());
            let taken: Vec<_> = std::iter::from_fn(|| lanes.past_page().now_or_never()).collect();
            assert_eq!((taken.len(), lanes.pages.available_permits()), (expect, pages - expect), "{pages}");
        }
        // And none while polls have it all.
        let lanes = Lanes::new(NonZeroUsize::MIN);
        let polled = lanes.page().await.unwrap();
        assert!(lanes.past_page().now_or_never().is_none());
        drop(polled);
        assert!(lanes.past_page().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn no_poll_waits_for_room_for_ever() {
        let lanes = Lanes::new(NonZeroUsize::MIN);
        let held = lanes.page().await.unwrap();
        let began = tokio::time::Instant::now();
        assert!(lanes.page().await.is_none());
        assert_eq!(began.elapsed().as_secs(), ROOM_WITHIN.as_secs());
        drop(held);
        assert!(lanes.page().await.is_some());
    }

    #[test]
    fn some_start_at_once_and_more_a_while_later() {
        let lanes = Lanes::new(NonZeroUsize::MIN);
        let now = Instant::now();
        let starts = |now| (0..2 * STARTS).filter(|_| lanes.start(now)).count();
        assert_eq!((starts(now), starts(now), starts(now + WINDOW)), (STARTS, 0, STARTS));
    }
}
