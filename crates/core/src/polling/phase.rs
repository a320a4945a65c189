//! When a chain that stands at its feed's end is polled again, so that all chains together are polled evenly.
//!
//! Thousands of chains that are created together, or that a server's absence has made due together, would stay together for ever if
//! each waited for its interval. So each has a place of its own in the interval, from its name, and comes back to it.

use std::{hash::BuildHasher, time::Duration};

use foldhash::quality::FixedState;
use jiff::Timestamp;
use latchkey_contracts::Chain;

/// A wait shorter than this part of the interval would only repeat the poll just made.
const SHORTEST_PART: u32 = 10;

/// The time until the chain's next place: from a tenth of `interval` to eleven tenths, and `interval` itself for one that is in step.
#[must_use]
pub fn until_next(chain: &Chain, interval: Duration, now: Timestamp) -> Duration {
    let length = interval.as_nanos();
    if length == 0 {
        return interval;
    }
    // The same in every process, so that a chain keeps its place when another takes it over.
    let place = u128::from(FixedState::default().hash_one((chain.source.as_str(), chain.feed.as_str()))) % length;
    let now = now.as_nanosecond().unsigned_abs() % length;
    let wait = (place + length - now) % length;
    let wait = if wait < length / u128::from(SHORTEST_PART) { wait + length } else { wait };
    u64::try_from(wait).map_or(interval, Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use latchkey_contracts::Feed;

    use super::*;

    const INTERVAL: Duration = Duration::from_mins(1);

    fn chain(number: usize) -> Chain {
        Chain { source: format!("acme-{number}").parse().unwrap(), feed: Feed::ItemUsages }
    }

    #[test]
    fn what_begins_together_does_not_stay_together() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let mut tenths = [0; 10];
        for number in 0..10_000 {
            let wait = until_next(&chain(number), INTERVAL, now);
            assert!(wait >= INTERVAL / 10 && wait < INTERVAL * 11 / 10, "{wait:?}");
            let place = (wait.as_secs() % 60) / 6;
            tenths[usize::try_from(place).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|tenth| (800..1_200).contains(tenth)), "{tenths:?}");
    }

    #[test]
    fn a_chain_keeps_its_place() {
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let placed = start + SignedDuration::try_from(until_next(&chain(1), INTERVAL, start)).unwrap();
        for (late, expect) in [(0, 60_000), (200, 59_800), (-200, 60_200), (30_000, 30_000)] {
            let polled = placed + SignedDuration::from_millis(late);
            assert_eq!(until_next(&chain(1), INTERVAL, polled), Duration::from_millis(expect), "{late}");
        }
        assert_eq!(until_next(&chain(1), Duration::ZERO, start), Duration::ZERO);
    }
}
