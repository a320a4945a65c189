//! Shows to somebody outside that watching goes on.
//!
//! Nobody is told that the one who tells is dead. So an address of somebody else is called at an interval, who raises an alarm when
//! the calls stay away; and it is called only while chains are judged and streams are looked at in time, because an alerter that hangs is as
//! good as dead. A call that fails is not repeated: the next comes soon, and whoever waits for calls allows for one that is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use latchkey_runtime::{Shutdown, clock};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    destination::{Poster, send},
    metrics::Metrics,
};

/// What a busy machine may take beyond the intervals.
const LENIENCE: Duration = Duration::from_secs(5);

/// When watching last did its work. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pulse(Arc<Moments>);

#[derive(Debug, Default)]
struct Moments {
    judged: AtomicI64,
    looked: AtomicI64,
}

/// How often watching has its work to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    pub(crate) judges_every: Duration,
    pub(crate) looks_every: Duration,
}

impl Pulse {
    /// Every chain has been judged.
    pub(crate) fn judged(&self, now: Timestamp) {
        self.0.judged.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Streams and their readers have been looked at.
    pub(crate) fn looked(&self, now: Timestamp) {
        self.0.looked.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Whether both happened in time: at most two were missed.
    pub(crate) fn is_regular(&self, rhythm: Rhythm, now: Timestamp) -> bool {
        let in_time = |moment: &AtomicI64, every: Duration| {
            let at = Timestamp::from_millisecond(moment.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
            let limit = SignedDuration::try_from(every * 3 + LENIENCE).unwrap_or(SignedDuration::MAX);
            now.duration_since(at) <= limit
        };
        in_time(&self.0.judged, rhythm.judges_every) && in_time(&self.0.looked, rhythm.looks_every)
    }
}

/// Calls the address.
pub(crate) struct Heartbeat {
    pub(crate) poster: Poster,
    pub(crate) every: Duration,
    pub(crate) metrics: Metrics,
}

impl Heartbeat {
    /// Beats until the soft shutdown.
    pub(crate) async fn run(self, pulse: Pulse, rhythm: Rhythm, shutdown: &Shutdown) {
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                _ = tick.tick() => {}
            }
            if !pulse.is_regular(rhythm, clock::now()) {
                self.metrics.heartbeat("withheld");
                tracing::warn!("no heartbeat: chains were not judged, or streams not looked at, in time");
                continue;
            }
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                () = self.beat() => {}
            }
        }
    }

    async fn beat(&self) {
        let sent = match self.poster.request("", "text/plain", String::new()) {
            Ok(request) => send(request).await,
            Err(failure) => Err(failure),
        };
        match sent {
            Ok(()) => self.metrics.heartbeat("sent"),
            Err(error) => {
                self.metrics.heartbeat("failed");
                tracing::warn!(%error, "the heartbeat was not taken");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_regular_while_both_come_in_time() {
        let at = |second: i64| Timestamp::from_second(1_700_000_000 + second).unwrap();
        let rhythm = Rhythm { judges_every: Duration::from_secs(5), looks_every: Duration::from_secs(30) };
        for (judged, looked, expect) in [
            (None, None, false),
            (Some(0), None, false),
            (Some(80), Some(5), true),
            (Some(79), Some(5), false),
            (Some(80), Some(4), false),
        ] {
            let pulse = Pulse::default();
            judged.inspect(|judged| pulse.judged(at(*judged)));
            looked.inspect(|looked| pulse.looked(at(*looked)));
            assert_eq!(pulse.is_regular(rhythm, at(100)), expect, "{judged:?} {looked:?}");
        }
    }
}
