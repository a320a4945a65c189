//! Watches checkpoints as an alerter does: how many polls there are, and how late each is.
//!
//! A checkpoint says when its poll ended and when the next is due. The time from there to the end of the next poll is that one's
//! lateness: it holds the waiting, the request, and the way to the stream.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use latchkey_bus::{Bus, Reader};
use latchkey_contracts::checkpoint::Checkpoint;
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The newest checkpoint of every chain, and what came of those before.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    _reading: AbortOnDropHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// By source and feed.
    chains: HashMap<(String, String), Checkpoint>,
    stretch: Stretch,
}

/// What was seen in a stretch of time.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) polls: u64,
    /// How late each poll was of a source that is not named, in milliseconds.
    late: Vec<i64>,
}

impl Watch {
    /// Begins to watch. Polls of the sources `apart` count, and their lateness does not.
    pub(super) fn begin(bus: &Bus, apart: [String; 2]) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let reading = tokio::spawn(read(bus.watch_checkpoints(), Arc::clone(&seen), apart));
        Self { seen, _reading: AbortOnDropHandle::new(reading) }
    }

    /// Chains that have been polled.
    pub(super) fn chains(&self) -> usize {
        self.seen().chains.len()
    }

    /// Ends a stretch and begins another.
    pub(super) fn stretch(&self) -> Stretch {
        std::mem::take(&mut self.seen().stretch)
    }

    /// Waits until the newest checkpoints of a source's feeds, so many, are as wanted.
    pub(super) async fn until(
        &self,
        source: &str,
        feeds: usize,
        patience: Duration,
        wanted: impl Fn(&Checkpoint) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        let good = || self.seen().chains.values().filter(|last| last.source == source && wanted(last)).count();
        while good() < feeds {
            if Instant::now() > deadline {
                bail!("a change to {source} has had no effect within {} s", patience.as_secs());
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stretch {
    /// For each of some thousandths: so many of the polls were not later.
    pub(super) fn late<const N: usize>(&self, thousandths: [usize; N]) -> [Duration; N] {
        let mut late = self.late.clone();
        late.sort_unstable();
        let last = late.len().saturating_sub(1);
        thousandths.map(|of| {
            let late = late.get(last * of / 1000).copied().unwrap_or_default();
            Duration::from_millis(u64::try_from(late).unwrap_or_default())
        })
    }
}

async fn read(mut reader: Reader<Checkpoint>, seen: Arc<Mutex<Seen>>, apart: [String; 2]) {
    // The bus is there for as long as the benchmark is.
    while let Ok(item) = reader.next().await {
        let Ok(checkpoint) = item.message else { continue };
        seen.lock().unwrap_or_else(PoisonError::into_inner).take(checkpoint, &apart);
    }
}

impl Seen {
    fn take(&mut self, checkpoint: Checkpoint, apart: &[String; 2]) {
        self.stretch.polls += 1;
        let counts = !apart.contains(&checkpoint.source);
        let polled_at = checkpoint.polled_at_unix_nano;
        let key = (checkpoint.source.clone(), checkpoint.feed.clone());
        if let Some(before) = self.chains.insert(key, checkpoint)
            && counts
        {
            self.stretch.late.push((polled_at - before.next_poll_at_unix_nano) / 1_000_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(source: &str, polled_at: i64, next: i64) -> Checkpoint {
        Checkpoint {
            source: source.into(),
            polled_at_unix_nano: polled_at * 1_000_000,
            next_poll_at_unix_nano: next * 1_000_000,
            ..Checkpoint::default()
        }
    }

    #[test]
    fn a_poll_is_late_by_the_time_since_it_was_due() {
        let (mut seen, apart) = (Seen::default(), ["loud".to_owned(), "slow".to_owned()]);
        for (source, polled_at, next) in
            [("a", 0, 100), ("a", 107, 200), ("slow", 0, 100), ("slow", 900, 1_000), ("a", 201, 300)]
        {
            seen.take(checkpoint(source, polled_at, next), &apart);
        }
        assert_eq!(seen.stretch.polls, 5);
        assert_eq!(seen.stretch.late([0, 1000]), [1, 7].map(Duration::from_millis));
    }
}
