//! When a chain that stands at its feed's end is polled again, so that all chains together are polled evenly.
//!
//! Thousands of chains that are created together, or that a server's absence has made due together, would stay together for ever if
//! each waited for its interval. So each source has a place of its own in the interval, from its name, and comes back to it. Its feeds come
//! one right behind the other: what is looked up for one of them serves all.

use std::{hash::BuildHasher, time::Duration};

use foldhash::quality::FixedState;
use jiff::Timestamp;
use latchkey_contracts::{Chain, Feed};

/// A wait shorter than this part of the interval would only repeat the poll just made.
const SHORTEST_PART: u32 = 10;

/// This part of the interval lies between two feeds of a source: half a second of a minute.
const DISTANCE: u128 = 120;

/// The time until the chain's next place: from a tenth of `interval` to eleven tenths, and `interval` itself for one that is in step.
#[must_use]
pub fn until_next(chain: &Chain, interval: Duration, now: Timestamp) -> Duration {
    let length = interval.as_nanos();
    let Some(wait) = until_place(chain, length, now) else { return interval };
    let wait = if wait < length / u128::from(SHORTEST_PART) { wait + length } else { wait };
    u64::try_from(wait).map_or(interval, Duration::from_nanos)
}

/// Whether the chain is at its place, or has passed it by less than a tenth of `interval`: polled then, it disturbs nobody.
#[must_use]
pub fn is_in_place(chain: &Chain, interval: Duration, now: Timestamp) -> bool {
    let length = interval.as_nanos();
    until_place(chain, length, now).is_none_or(|wait| wait == 0 || length - wait < length / u128::from(SHORTEST_PART))
}

/// Nanoseconds, less than an interval of that `length`; `None` for one without any.
fn until_place(chain: &Chain, length: u128, now: Timestamp) -> Option<u128> {
    // The same in every process, so that a chain keeps its place when another takes it over.
    let place = u128::from(FixedState::default().hash_one(chain.source.as_str())).checked_rem(length)?;
    let before = Feed::ALL.iter().take_while(|feed| **feed != chain.feed).count() as u128;
    let place = place + before * (length / DISTANCE);
    let now = now.as_nanosecond().unsigned_abs() % length;
    Some((place + length - now) % length)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

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
        for (late, expect) in [(-1, false), (0, true), (5_999, true), (6_000, false), (30_000, false)] {
            let now = placed + SignedDuration::from_millis(late);
            assert_eq!(is_in_place(&chain(1), INTERVAL, now), expect, "{late}");
        }
        assert!(is_in_place(&chain(1), Duration::ZERO, start));
    }

    #[test]
    fn the_feeds_of_a_source_come_one_behind_the_other() {
        let place = |feed| until_next(&Chain { feed, ..chain(1) }, INTERVAL, Timestamp::UNIX_EPOCH).as_millis();
        let places = Feed::ALL.map(place);
        assert!(places.windows(2).all(|pair| (pair[1] + 60_000 - pair[0]) % 60_000 == 500), "{places:?}");
    }
}
