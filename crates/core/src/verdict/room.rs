//! How much room a stream has, and when it will have none.
//!
//! A stream that discards new messages refuses them when it is full. The looks of a window say how fast it grows, net of what leaves
//! it by age; growth over less is chance.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::window::{Room as Kept, RoomLook};

use super::{
    lag::Patience,
    looks::{Looks, Moment},
};
use crate::instant;

/// A stream's bytes at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The moment.
    pub at: Timestamp,
    /// What it holds.
    pub bytes: u64,
    /// What it may hold; 0 without bound.
    pub max_bytes: u64,
}

impl Moment for Fill {
    fn at(&self) -> Timestamp {
        self.at
    }
}

/// The looks at one stream.
pub type Room = Looks<Fill>;

impl Room {
    /// When the stream is full if it goes on as between the first look and the last; `None` if it does not grow, or it cannot be said yet.
    #[must_use]
    pub fn full_at(&self, patience: Patience) -> Option<Timestamp> {
        let (oldest, newest) = (self.oldest()?, self.newest()?);
        if newest.max_bytes == 0 {
            return None;
        }
        if newest.bytes >= newest.max_bytes {
            return Some(newest.at);
        }
        let (grown, left) = (newest.bytes.checked_sub(oldest.bytes)?, newest.max_bytes - newest.bytes);
        if grown == 0 || self.span() < patience.seen_for() {
            return None;
        }
        let nanos = self.span().as_nanos().saturating_mul(left.into()) / i128::from(grown);
        let left = SignedDuration::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX));
        Some(newest.at.saturating_add(left).unwrap_or(Timestamp::MAX))
    }

    /// What is to be kept of them.
    #[must_use]
    pub fn keep(&self) -> Kept {
        let keep = |fill: &Fill| RoomLook {
            at_unix_nano: instant::to_unix_nano(fill.at),
            bytes: fill.bytes,
            max_bytes: fill.max_bytes,
        };
        Kept { looks: self.iter().map(keep).collect() }
    }

    /// What was kept.
    #[must_use]
    pub fn recall(kept: &Kept) -> Self {
        let recall = |look: &RoomLook| Fill {
            at: instant::from_unix_nano(look.at_unix_nano),
            bytes: look.bytes,
            max_bytes: look.max_bytes,
        };
        kept.looks.iter().map(recall).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::at;

    /// Looks a minute apart from 0 on, each with its bytes of a thousand.
    fn room(bytes: impl IntoIterator<Item = u64>) -> Room {
        let fill = |(minute, bytes): (i64, u64)| Fill { at: at(minute * 60), bytes, max_bytes: 1_000 };
        (0..).zip(bytes).map(fill).collect()
    }

    fn check(room: &Room, expect: Option<i64>) {
        assert_eq!(room.full_at(Patience::default()), expect.map(at), "{room:?}");
    }

    #[test]
    fn a_stream_is_full_when_it_goes_on_so() {
        check(&room([]), None);
        // Ten bytes a minute, and 910 left after eight minutes.
        check(&room((0..9).map(|minute| 10 + minute * 10)), Some(480 + 91 * 60));
        // It counts what was at both ends, and not how it went in between.
        check(&room([10, 500, 10, 500, 10, 500, 10, 500, 90]), Some(480 + 91 * 60));
        // Too short to tell, not growing, shrinking.
        check(&room((0..8).map(|minute| 10 + minute * 10)), None);
        check(&room([50; 9]), None);
        check(&room((0..9).map(|minute| 100 - minute)), None);
    }

    #[test]
    fn a_stream_that_is_full_is_so_already() {
        check(&room([1_000]), Some(0));
        check(&room([0, 1_200]), Some(60));
        check(&[Fill { at: at(0), bytes: 1, max_bytes: 0 }].into_iter().collect(), None);
    }

    #[test]
    fn numbers_that_nobody_has_do_no_harm() {
        let huge = |minute: i64, bytes| Fill { at: at(minute * 60), bytes, max_bytes: u64::MAX };
        let slow: Room = (0..9).map(|minute| huge(minute, u64::from(minute == 8))).collect();
        assert_eq!(
            slow.full_at(Patience::default()),
            Some(at(480).saturating_add(SignedDuration::from_nanos(i64::MAX)).unwrap())
        );
    }

    #[test]
    fn what_is_kept_is_recalled() {
        let looks = room((0..9).map(|minute| minute * 10));
        assert_eq!(Room::recall(&looks.keep()), looks);
    }
}
