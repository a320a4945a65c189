//! NATS's clock, as its answers show it: the one that all alerters judge by.
//!
//! Whatever their own clocks show, alerters so judge alike: what is seen of streams and their readers, and feeds, whose times are their
//! fetchers'. Servers have clocks as well: what is seen of a stream has the time of the server that leads it, and is judged by that one's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use latchkey_core::{alert::board::Ahead, clock_skew::ClockSkew};
use latchkey_runtime::clock;

use crate::metrics::Metrics;

/// How far our clock may be from NATS's, or those of two servers from each other, before somebody is told, and how near they are again when all is well.
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
    /// The newest answer about a stream is its leader's, and so it says all that there is to say.
    ahead: Ahead,
    /// Whether people were told that the clocks are apart.
    told: bool,
    /// And that those of NATS's servers are.
    servers_told: bool,
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

    /// What NATS's clock shows as a whole; what ours does before the first answer.
    pub(crate) fn now(&self) -> Timestamp {
        before(self.ours(), self.known().ahead.all)
    }

    /// What the clock of the server shows that leads the stream.
    pub(crate) fn now_of(&self, stream: &str) -> Timestamp {
        before(self.ours(), self.known().ahead.of(stream))
    }

    /// How far NATS's clock as a whole is ahead of those of the servers that lead streams.
    pub(crate) fn ahead(&self) -> Ahead {
        let Ahead { all, by_stream } = &self.known().ahead;
        let beside = |ahead: &SignedDuration| ahead.saturating_sub(*all);
        let by_stream = by_stream.iter().map(|(stream, ahead)| (*stream, beside(ahead))).collect();
        Ahead { all: SignedDuration::ZERO, by_stream }
    }

    /// Our clock may have been set: what it shows beside the next answer says more than what it showed beside earlier ones.
    pub(crate) fn ours_was_set(&self) {
        self.known().skew = ClockSkew::default();
    }

    /// Whether an answer says how far our clock is ahead.
    pub(crate) fn is_sure(&self) -> bool {
        self.known().skew.median().is_some()
    }

    /// Takes in when the server that leads the stream has answered, which was asked at `asked_at` by our clock.
    pub(crate) fn answered(&self, stream: &'static str, at: Timestamp, asked_at: Timestamp) {
        let (mut this, now) = (ClockSkew::default(), self.ours());
        this.told(at, asked_at, now);
        let mut known = self.known();
        known.skew.told(at, asked_at, now);
        if let Some(ahead) = this.median() {
            known.ahead.by_stream.insert(stream, ahead);
        }
        let Some(ahead) = known.skew.median() else { return };
        known.ahead.all = ahead;
        let news = news(known.told, ahead);
        known.told = known.told != news.is_some();
        drop(known);
        self.metrics.nats_clock_is_apart(ahead);
        match news {
            Some(News::Apart) => tracing::warn!(
                ahead_seconds = ahead.as_secs(),
                "this machine's clock and NATS's are apart; feeds, streams and their readers are judged by NATS's"
            ),
            Some(News::Together) => tracing::info!("this machine's clock and NATS's agree again"),
            None => {}
        }
    }

    /// Compares the clocks of NATS's servers, after all streams that are to be asked have answered: while our own is set, some answers are
    /// older than that.
    pub(crate) fn compare(&self) {
        let mut known = self.known();
        let (behind, before, apart) = known.ahead.apart().unwrap_or_default();
        let news = news(known.servers_told, apart);
        known.servers_told = known.servers_told != news.is_some();
        drop(known);
        match news {
            Some(News::Apart) => tracing::warn!(
                behind,
                before,
                apart_seconds = apart.as_secs(),
                "the clocks of NATS's servers are apart: that of the first stream's leader is behind that of the second's"
            ),
            Some(News::Together) => tracing::info!("the clocks of NATS's servers agree again"),
            None => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn before(moment: Timestamp, ahead: SignedDuration) -> Timestamp {
    moment.saturating_sub(ahead).unwrap_or(moment)
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

    #[test]
    fn each_stream_has_the_clock_of_the_server_that_leads_it() {
        fn ours() -> Timestamp {
            Timestamp::from_second(1_700_000_000).unwrap()
        }
        let secs = SignedDuration::from_secs;
        let clock = NatsClock::beside(ours, Metrics::new(&latchkey_runtime::Metrics::new()));
        let answered = |stream, ahead| clock.answered(stream, ours() - secs(ahead), ours());
        for _ in 0..5 {
            answered("WINDOWS", 0);
            answered("EVENTS", 1);
            answered("PAGES", 120);
        }
        let nows = ["WINDOWS", "EVENTS", "PAGES", "ALERTS"].map(|stream| ours().duration_since(clock.now_of(stream)));
        assert_eq!(nows, [secs(0), secs(1), secs(120), secs(1)]);
        assert_eq!(clock.ahead().apart(), Some(("PAGES", "WINDOWS", secs(120))));
        clock.compare();
        assert!(clock.known().servers_told);
        // Another server leads it, and is believed at once.
        answered("PAGES", 0);
        clock.compare();
        assert_eq!((clock.now_of("PAGES"), clock.known().servers_told), (ours(), false));
    }

    #[test]
    fn when_our_clock_is_set_the_next_answer_says_how_far_it_is_ahead() {
        fn ours() -> Timestamp {
            Timestamp::from_second(1_700_000_000).unwrap()
        }
        let clock = NatsClock::beside(ours, Metrics::new(&latchkey_runtime::Metrics::new()));
        assert_eq!(clock.now(), ours());
        let answered = |ahead| {
            clock.answered("WINDOWS", ours() - SignedDuration::from_secs(ahead), ours());
            ours().duration_since(clock.now()).as_secs()
        };
        assert_eq!([answered(0), answered(0), answered(18_000)], [0, 0, 0]);
        clock.ours_was_set();
        assert_eq!(answered(18_000), 18_000);
    }
}
