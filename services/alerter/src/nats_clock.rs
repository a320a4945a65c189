//! NATS's clock, as its answers show it.
//!
//! Everything that is seen of streams and their readers has the server's time, and so it means the same to every alerter, whatever its own
//! clock shows. What remains of a wrong one is what is judged by fetchers' times; so it is said. Servers have clocks as well: what is seen
//! of a stream has the time of the server that leads it, and is judged by that one's.

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

    /// How far our clock is ahead; nothing before the first answer.
    pub(crate) fn ahead(&self) -> Ahead {
        self.known().ahead.clone()
    }

    /// What the clock of the server shows that leads the stream.
    pub(crate) fn now(&self, stream: &str) -> Timestamp {
        let ours = self.ours();
        ours.saturating_sub(self.known().ahead.of(stream)).unwrap_or(ours)
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
                "this machine's clock and NATS's are apart; feeds are judged by this one, streams and their readers by NATS's"
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
        let nows = ["WINDOWS", "EVENTS", "PAGES", "ALERTS"].map(|stream| ours().duration_since(clock.now(stream)));
        assert_eq!(nows, [secs(0), secs(1), secs(120), secs(1)]);
        assert_eq!(clock.ahead().apart(), Some(("PAGES", "WINDOWS", secs(120))));
        clock.compare();
        assert!(clock.known().servers_told);
        // Another server leads it, and is believed at once.
        answered("PAGES", 0);
        clock.compare();
        assert_eq!((clock.now("PAGES"), clock.known().servers_told), (ours(), false));
    }
}
