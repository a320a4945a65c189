//! Follows checkpoints, transitions, and what is seen of streams and their readers, and writes what follows from them.
//!
//! Nothing is written before every checkpoint and every transition that was there at the start has been seen once. What was raised
//! before is then known without asking for each alert, of which there are more than requests should be made for; and a cause that
//! chains have in common is seen as one.

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use latchkey_bus::{Bus, Error, Item, Publication, Reader, StreamState, patiently};
use latchkey_contracts::{
    About, Chain,
    alert::Alert,
    checkpoint::Checkpoint,
    topology::{ALERTS, CHECKPOINTS},
};
use latchkey_core::{
    alert::{
        self, Kind,
        board::{Board, Keep, Known, MAX_CHAINS, Policies, Sight, Step, Timing},
        silence,
    },
    verdict::{ChainWindow, Outcome},
};
use latchkey_runtime::{Shutdown, clock};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    hearsay::{Heard, Hearsay},
    heartbeat::Pulse,
    metrics::{Metrics, Shown},
    nats_clock::NatsClock,
    survey::ask,
    tables::Tables,
};

/// A tick that is later than this was slept through, by the machine or by this process, or a clock was set.
const SLEPT: SignedDuration = SignedDuration::from_mins(1);

pub(crate) struct Watcher {
    bus: Bus,
    board: Board,
    checkpoints: Reader<Checkpoint>,
    alerts: Reader<Alert>,
    hearsay: Hearsay,
    /// The last checkpoint and the last transition there were at the start; 0 once all up to it have been seen.
    unseen_checkpoint: u64,
    unseen_transition: u64,
    tick: Interval,
    last_tick: Timestamp,
    /// Whether the server could not be reached at the last tick.
    is_away: bool,
    shown: HashMap<Chain, Shown>,
    clock: NatsClock,
    pulse: Pulse,
    metrics: Metrics,
    keeper: mpsc::Sender<Vec<Keep>>,
}

enum Event {
    Checkpoint(Box<Item<Checkpoint>>),
    Transition(Box<Item<Alert>>),
    Heard(Heard),
    Tables(Tables),
    Tick,
}

impl Watcher {
    pub(crate) async fn open(
        bus: Bus,
        (policies, timing, destinations): (Policies, Timing, &[String]),
        tick: Duration,
        clock: NatsClock,
        pulse: Pulse,
        metrics: Metrics,
        keeper: mpsc::Sender<Vec<Keep>>,
    ) -> Result<Self, Error> {
        let checkpoints = bus.watch_checkpoints();
        let unseen_checkpoint = last(patiently(|| ask(&bus, &CHECKPOINTS, &clock)).await?);
        let unseen_transition = last(patiently(|| ask(&bus, &ALERTS, &clock)).await?);
        let alerts = bus.watch_alerts();
        // From here on it is known what NATS's clock shows.
        let now = clock.now();
        let hearsay = Hearsay::new(&bus, now);
        let mut board = Board::new(policies, timing, now);
        board.set_destinations(destinations.iter().map(String::as_str));
        for habit in patiently(|| bus.habits()).await? {
            if let (Ok(source), Ok(feed)) = (habit.source.parse(), habit.feed.parse()) {
                board.recall(Chain { source, feed }, &habit);
            }
        }
        let mut tick = interval(tick);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            bus,
            board,
            checkpoints,
            alerts,
            hearsay,
            unseen_checkpoint,
            unseen_transition,
            tick,
            last_tick: now,
            is_away: false,
            shown: HashMap::new(),
            clock,
            pulse,
            metrics,
            keeper,
        })
    }

    /// Watches until the soft shutdown.
    pub(crate) async fn run(mut self, mut tables: mpsc::Receiver<Tables>, shutdown: &Shutdown) -> Result<(), Error> {
        loop {
            let event = tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = self.checkpoints.next() => Event::Checkpoint(Box::new(item?)),
                item = self.alerts.next() => Event::Transition(Box::new(item?)),
                heard = self.hearsay.next() => Event::Heard(heard?),
                Some(tables) = tables.recv() => Event::Tables(tables),
                _ = self.tick.tick() => Event::Tick,
            };
            let is_tick = matches!(event, Event::Tick);
            if is_tick {
                self.ask_the_time().await;
            }
            for step in self.take_in(event, self.clock.now()) {
                if shutdown.soft().is_cancelled() {
                    return Ok(());
                }
                self.perform(step).await;
            }
            if is_tick && self.bus.is_connected() {
                self.keep_habits();
            }
        }
    }

    fn has_seen_all(&self) -> bool {
        self.unseen_checkpoint == 0 && self.unseen_transition == 0
    }

    /// The steps that follow.
    fn take_in(&mut self, event: Event, now: Timestamp) -> Vec<Step> {
        match event {
            Event::Checkpoint(item) => match self.observe(*item) {
                // After a gap, the next tick judges it with all others.
                Some(chain) if self.has_seen_all() && !self.is_away && !self.is_far(now) => {
                    let judgement = self.board.judge(&chain, now);
                    if let Some(judgement) = judgement {
                        self.show(&chain, judgement.poll.as_str());
                    }
                    self.board.settle(&chain, now)
                }
                _ => Vec::new(),
            },
            Event::Transition(item) => {
                self.learn(*item);
                Vec::new()
            }
            Event::Heard(heard) => {
                if heard.tell(&mut self.board).is_err() {
                    self.metrics.unreadable(heard.stream());
                }
                Vec::new()
            }
            Event::Tables(tables) => {
                self.board.look_at_tables(tables);
                Vec::new()
            }
            Event::Tick => self.tick(now),
        }
    }

    fn is_far(&self, now: Timestamp) -> bool {
        now.duration_since(self.last_tick).abs() > SLEPT + period(&self.tick)
    }

    /// Where time has made a leap, NATS says whether it was slept through or our clock was set. A shared watcher cannot wait on
    /// another thread: its readers are not `Sync`.
    async fn ask_the_time(&mut self) {
        if !self.is_far(self.clock.now()) || !self.bus.is_connected() {
            return;
        }
        self.clock.ours_was_set();
        if let Err(error) = ask(&self.bus, &CHECKPOINTS, &self.clock).await {
            tracing::warn!(%error, "NATS did not say what its clock shows; nothing is judged until it does");
        }
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Step> {
        if !self.bus.is_connected() {
            self.is_away = true;
            return Vec::new();
        }
        let slept = self.is_far(now);
        if slept && !self.clock.is_sure() {
            return Vec::new();
        }
        self.last_tick = now;
        if std::mem::take(&mut self.is_away) || slept {
            self.board.watch_anew(now);
        }
        if !self.has_seen_all() {
            return Vec::new();
        }
        self.board.set_ahead(self.clock.ahead());
        let (steps, sight) = self.board.sweep(now);
        self.pulse.judged(clock::now());
        self.look(&sight, now);
        steps
    }

    fn look(&mut self, sight: &Sight, now: Timestamp) {
        for (chain, verdict) in &sight.polls {
            self.show(chain, verdict);
        }
        // After that it is settled which sources have metrics of their own.
        self.metrics.sighted(sight, now);
    }

    /// Only what changes is shown: there are thousands of chains and a tick every few seconds.
    fn show(&mut self, chain: &Chain, verdict: &'static str) {
        let before = self.shown.get(chain);
        if !before.is_some_and(|before| before.is(verdict)) {
            let shown = self.metrics.judged(chain, verdict, before);
            self.shown.insert(chain.clone(), shown);
        }
    }

    fn observe(&mut self, item: Item<Checkpoint>) -> Option<Chain> {
        let (sequence, subject) = (item.sequence, item.subject);
        // The last message may have been removed since: then the end of what is there will do.
        if sequence >= self.unseen_checkpoint || item.pending == 0 {
            self.unseen_checkpoint = 0;
        }
        let Some(window) = item.message.ok().as_ref().and_then(window) else {
            self.metrics.unreadable(CHECKPOINTS.name);
            tracing::warn!(sequence, subject, "a checkpoint cannot be read; its chain is judged by the one before");
            return None;
        };
        let chain = window.chain.clone();
        if window.outcome == Outcome::Removed
            && let Some(shown) = self.shown.remove(&chain)
        {
            self.metrics.forget(&chain, &shown);
        }
        if self.board.observe(window) {
            return Some(chain);
        }
        self.metrics.unreadable(CHECKPOINTS.name);
        tracing::error!(source = %chain.source, feed = %chain.feed, "more than {MAX_CHAINS} chains: this one is not watched");
        None
    }

    /// Takes in a transition, of this alerter or another, or a silence.
    fn learn(&mut self, item: Item<Alert>) {
        let Item { sequence, message, pending, .. } = item;
        if sequence >= self.unseen_transition || pending == 0 {
            self.unseen_transition = 0;
        }
        let Ok(alert) = message else {
            // Whoever needs the alert meets a conflict, and reads it then.
            self.metrics.unreadable(ALERTS.name);
            tracing::error!(sequence, "a message of ALERTS is no alert");
            return;
        };
        let Some(about) = About::read(&alert.source, &alert.feed, &alert.object) else { return };
        if alert.kind == silence::WORD {
            self.board.learn_silence(about, Known { sequence, last: Some(alert) });
        } else if let Some(kind) = Kind::of_word(&alert.kind) {
            self.know(kind, &about, Known { sequence, last: Some(alert) });
        }
    }

    fn know(&mut self, kind: Kind, about: &About, known: Known) {
        self.metrics.alert_is(about, kind, known.last.as_ref().is_some_and(alert::is_raised));
        self.board.learn(kind, about, known);
    }

    async fn perform(&mut self, step: Step) {
        match step {
            Step::Read { kind, about } => self.read(kind, &about).await,
            Step::Publish { kind, about, alert, expected } => self.publish(kind, &about, *alert, expected).await,
        }
    }

    /// Hands over what is to be kept, unless there is enough to do already.
    fn keep_habits(&mut self) {
        if let Ok(place) = self.keeper.try_reserve() {
            let keep = self.board.to_keep(period(&self.tick), self.clock.now());
            if !keep.is_empty() {
                place.send(keep);
            }
        }
    }

    async fn read(&mut self, kind: Kind, about: &About) {
        let known = match self.bus.last_alert_about(kind.as_str(), about).await {
            Ok(Some(stored)) => Known { sequence: stored.sequence, last: Some(stored.message) },
            Ok(None) => Known::default(),
            Err(Error::Undecodable { sequence, .. }) => {
                self.metrics.unreadable(ALERTS.name);
                tracing::error!(sequence, "a message of ALERTS is no alert; the alert begins anew after it");
                Known { sequence, last: None }
            }
            Err(error) => {
                tracing::warn!(%about, kind = kind.as_str(), %error, "an alert cannot be read");
                return;
            }
        };
        self.know(kind, about, known);
    }

    async fn publish(&mut self, kind: Kind, about: &About, alert: Alert, expected: u64) {
        match self.bus.publish_alert_about(kind.as_str(), about, &alert, expected).await {
            Ok(Publication::Stored { sequence } | Publication::Repeated { sequence }) => {
                self.metrics.transition_published(kind, alert::is_raised(&alert));
                self.know(kind, about, Known { sequence, last: Some(alert) });
            }
            // Another alerter was faster: what it wrote is read, and judged against at the next look.
            Ok(Publication::Conflict) => {
                self.board.doubt(kind, about);
                self.read(kind, about).await;
            }
            // Stored or not, now or later: reading tells, at the next tick.
            Ok(other) => {
                self.board.doubt(kind, about);
                tracing::warn!(%about, kind = kind.as_str(), answer = ?other, "an alert could not be written");
            }
            Err(error) => {
                self.board.doubt(kind, about);
                tracing::warn!(%about, kind = kind.as_str(), %error, "an alert could not be written");
            }
        }
    }
}

/// The last message that is in a stream; 0 if it is empty.
const fn last(state: StreamState) -> u64 {
    if state.messages == 0 { 0 } else { state.last }
}

fn window(checkpoint: &Checkpoint) -> Option<ChainWindow> {
    let chain = Chain { source: checkpoint.source.parse().ok()?, feed: checkpoint.feed.parse().ok()? };
    ChainWindow::read(chain, checkpoint).ok()
}

fn period(tick: &Interval) -> SignedDuration {
    SignedDuration::try_from(tick.period()).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests;
