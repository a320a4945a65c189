//! NATS's clock, as its answers show it.
//!
//! Everything that is seen of streams and their readers has the server's time, and so it means the same to every alerter, whatever its own
//! clock shows. What remains of a wrong one is what is judged by fetchers' times; so it is said.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use latchkey_core::clock_skew::ClockSkew;
use latchkey_runtime::clock;

use crate::metrics::Metrics;

/// How far our clock may be from NATS's before somebody is told, and how near it is again when all is well.
const APART: (SignedDuration, SignedDuration) = (SignedDuration::from_mins(1), SignedDuration::from_secs(30));

/// Both clocks. Clones share what is known.
#[derive(Clone)]
pub(crate) struct NatsClock {
    ours: fn() -> Timestamp,
    known: Arc<Mutex<Known>>,
    metrics: Metrics,
}

#[derive(Default)]
struct Known {
    skew: ClockSkew,
    /// Whether people were told that the clocks are apart.
    told: bool,
}

/// What there is to say.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Apart,
    Together,
}

impl NatsClock {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self::beside(clock::now, metrics)
    }

    /// Beside the clock that is ours.
    pub(crate) fn beside(ours: fn() -> Timestamp, metrics: Metrics) -> Self {
        Self { ours, known: Arc::default(), metrics }
    }

    /// What our clock shows.
    pub(crate) fn ours(&self) -> Timestamp {
        (self.ours)()
    }

    /// How far our clock is ahead; nothing before the first answer.
    pub(crate) fn ahead(&self) -> SignedDuration {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.skew.median().unwrap_or_default()
    }

    /// What NATS's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        let ours = self.ours();
        ours.saturating_sub(self.ahead()).unwrap_or(ours)
    }

    /// Takes in when the server has answered, which was asked at `asked_at` by our clock.
    pub(crate) fn answered(&self, at: Timestamp, asked_at: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.skew.told(at, asked_at, self.ours());
        let Some(ahead) = known.skew.median() else { return };
        let news = news(known.told, ahead);
        known.told = known.told != news.is_some();
        drop(known);
        self.metrics.nats_clock_is_apart(ahead);
        match news {
            Some(News::Apart) => tracing::warn!(
                ahead_seconds = ahead.as_secs(),
                "this machine's clock and NATS's are apart; feeds are judged by this one, streams and their readers by NATS's"
            ),
            Some(News::Together) => tracing::info!("this machine's clock and NATS's agree again"),
            None => {}
        }
    }
}

fn news(told: bool, ahead: SignedDuration) -> Option<News> {
    let apart = ahead.abs();
    match told {
        false if apart >= APART.0 => Some(News::Apart),
        true if apart < APART.1 => Some(News::Together),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_are_apart_are_told_of_once() {
        for (told, ahead, expect) in [
            (false, 59, None),
            (false, 60, Some(News::Apart)),
            (false, -60, Some(News::Apart)),
            (true, 3_600, None),
            (true, -30, None),
            (true, -29, Some(News::Together)),
            (false, 0, None),
        ] {
            assert_eq!(news(told, SignedDuration::from_secs(ahead)), expect, "{told} {ahead}");
        }
    }
}
