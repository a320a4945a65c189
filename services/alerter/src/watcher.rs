//! Follows checkpoints and writes transitions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, Error, Item, Publication, Reader};
use latchkey_contracts::{
    Chain,
    alert::Alert,
    checkpoint::Checkpoint,
    topology::{ALERTS, CHECKPOINTS},
};
use latchkey_core::{
    alert::{self, Kind},
    verdict::{ChainWindow, Policy},
};
use latchkey_runtime::{Shutdown, clock};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::{
    board::{Board, Known, MAX_CHAINS, Step},
    metrics::Metrics,
};

/// Steps for one alert before it is left to the next tick: read, publish, and both again after a conflict.
const MAX_STEPS: usize = 4;

/// A tick that is later than this was slept through, by the machine or by this process.
const SLEPT: SignedDuration = SignedDuration::from_mins(1);

pub(crate) struct Watcher {
    bus: Bus,
    board: Board,
    checkpoints: Reader<Checkpoint>,
    tick: Interval,
    last_tick: Timestamp,
    metrics: Metrics,
}

enum Event {
    Checkpoint(Box<Item<Checkpoint>>),
    Tick,
}

impl Watcher {
    pub(crate) async fn open(bus: Bus, policy: Policy, tick: Duration, metrics: Metrics) -> Result<Self, Error> {
        let checkpoints = bus.watch_checkpoints().await?;
        let mut tick = interval(tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let now = clock::now();
        Ok(Self { bus, board: Board::new(policy, now), checkpoints, tick, last_tick: now, metrics })
    }

    /// Watches until the soft shutdown.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> Result<(), Error> {
        loop {
            let event = tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = self.checkpoints.next() => Event::Checkpoint(Box::new(item?)),
                _ = self.tick.tick() => Event::Tick,
            };
            for chain in self.take_in(event, clock::now()) {
                if shutdown.soft().is_cancelled() {
                    return Ok(());
                }
                self.settle(&chain).await;
            }
        }
    }

    /// The chains to judge.
    fn take_in(&mut self, event: Event, now: Timestamp) -> Vec<Chain> {
        match event {
            Event::Checkpoint(item) => self.observe(*item).into_iter().collect(),
            Event::Tick => {
                let slept = now.duration_since(self.last_tick) > SLEPT + period(&self.tick);
                self.last_tick = now;
                if slept || !self.bus.is_connected() {
                    self.board.watch_anew(now);
                }
                if self.bus.is_connected() { self.board.chains() } else { Vec::new() }
            }
        }
    }

    fn observe(&mut self, item: Item<Checkpoint>) -> Option<Chain> {
        let (sequence, subject) = (item.sequence, item.subject);
        let Some(window) = item.message.ok().as_ref().and_then(window) else {
            self.metrics.unreadable(CHECKPOINTS.name);
            tracing::warn!(sequence, subject, "a checkpoint cannot be read; its chain is judged by the one before");
            return None;
        };
        let chain = window.chain.clone();
        if self.board.observe(window) {
            return Some(chain);
        }
        self.metrics.unreadable(CHECKPOINTS.name);
        tracing::error!(source = %chain.source, feed = %chain.feed, "more than {MAX_CHAINS} chains: this one is not watched");
        None
    }

    /// Judges a chain and brings its alerts in line with the verdict.
    async fn settle(&mut self, chain: &Chain) {
        let now = clock::now();
        let Some(judgement) = self.board.judge(chain, now) else { return };
        self.metrics.judged(chain, &judgement.poll);
        for kind in Kind::ALL {
            for _ in 0..MAX_STEPS {
                let goes_on = match self.board.step(chain, kind, &judgement, now) {
                    Step::Rest => false,
                    Step::Read => self.read(chain, kind, now).await,
                    Step::Publish { alert, expected } => self.publish(chain, kind, alert, expected, now).await,
                };
                if !goes_on {
                    break;
                }
            }
        }
    }

    async fn read(&mut self, chain: &Chain, kind: Kind, now: Timestamp) -> bool {
        let known = match self.bus.last_alert(kind.as_str(), Some(&chain.source), Some(chain.feed)).await {
            Ok(Some(stored)) => Known { sequence: stored.sequence, last: Some(stored.message), at: now },
            Ok(None) => Known { sequence: 0, last: None, at: now },
            Err(Error::Undecodable { sequence, .. }) => {
                self.metrics.unreadable(ALERTS.name);
                tracing::error!(sequence, "a message of ALERTS is no alert; the alert begins anew after it");
                Known { sequence, last: None, at: now }
            }
            Err(error) => {
                tracing::warn!(source = %chain.source, feed = %chain.feed, kind = kind.as_str(), %error, "an alert cannot be read");
                return false;
            }
        };
        self.metrics.alert_is(chain, kind, known.last.as_ref().is_some_and(alert::is_raised));
        self.board.learn(chain, kind, known);
        true
    }

    /// Whether there is more to do.
    async fn publish(&mut self, chain: &Chain, kind: Kind, alert: Alert, expected: u64, now: Timestamp) -> bool {
        match self.bus.publish_alert(kind.as_str(), Some(&chain.source), Some(chain.feed), &alert, expected).await {
            Ok(Publication::Stored { sequence } | Publication::Repeated { sequence }) => {
                let raised = alert::is_raised(&alert);
                self.metrics.transition_published(kind, raised);
                self.metrics.alert_is(chain, kind, raised);
                self.board.learn(chain, kind, Known { sequence, last: Some(alert), at: now });
                false
            }
            // Another alerter was faster: what it wrote is read, and judged against.
            Ok(Publication::Conflict) => {
                self.board.forget(chain, kind);
                true
            }
            // Stored or not, now or later: reading tells, at the next tick.
            Ok(other) => {
                self.board.forget(chain, kind);
                tracing::warn!(source = %chain.source, feed = %chain.feed, kind = kind.as_str(), answer = ?other, "an alert could not be written");
                false
            }
            Err(error) => {
                self.board.forget(chain, kind);
                tracing::warn!(source = %chain.source, feed = %chain.feed, kind = kind.as_str(), %error, "an alert could not be written");
                false
            }
        }
    }
}

fn window(checkpoint: &Checkpoint) -> Option<ChainWindow> {
    let chain = Chain { source: checkpoint.source.parse().ok()?, feed: checkpoint.feed.parse().ok()? };
    ChainWindow::read(chain, checkpoint).ok()
}

fn period(tick: &Interval) -> SignedDuration {
    SignedDuration::try_from(tick.period()).unwrap_or(SignedDuration::MAX)
}
