//! One turn of one chain: what follows from what happened.

mod asking;
mod ending;

use std::{num::NonZeroU32, time::Duration};

use jiff::Timestamp;
use latchkey_contracts::{Chain, checkpoint::Checkpoint};

use super::{
    History, LastPage, Outcome, Position, Recovery,
    action::{Action, Fetched, Input, Published, Settled, Step},
    bounds::{CONTENDED_PAUSE, MAX_DISTURBANCES, MAX_EMPTY_PAGES},
    failure::{self, PAGES_GONE},
    head,
    policy::Policy,
    position::recover,
    recovery::Reset,
};

/// One turn of one chain.
#[derive(Clone, Debug)]
pub struct Turn {
    policy: Policy,
    jitter: f64,
    position: Position,
    history: History,
    reset: Option<Reset>,
    limit: u32,
    held: Option<Fetched>,
    /// Pages stored, and pages of which everything was stored before.
    pages: u32,
    empty_pages: u32,
    disturbances: u32,
    arrived: u64,
    began_at: Timestamp,
}

impl Turn {
    /// Begins a turn by reading what the streams hold. `jitter` is uniform in `[0, 1)`.
    #[must_use]
    pub fn begin(policy: Policy, jitter: f64, now: Timestamp) -> (Self, Action) {
        let turn = Self {
            policy,
            jitter,
            position: Position::default(),
            history: History::default(),
            reset: None,
            limit: policy.page_limit,
            held: None,
            pages: 0,
            empty_pages: 0,
            disturbances: 0,
            arrived: 0,
            began_at: now,
        };
        (turn, Action::Recover)
    }

    /// Begins a turn where the chain's last one ended, as its report says, without reading anything.
    ///
    /// For one who knows that nobody has had the chain since. If somebody has all the same, nothing is lost or doubled: an older cursor
    /// brings what a newer one does, and the stream refuses a page onto anything but its last; then it is read.
    #[must_use]
    pub fn resume(policy: Policy, jitter: f64, last: (Position, History), now: Timestamp) -> (Self, Action) {
        let (mut turn, _) = Self::begin(policy, jitter, now);
        (turn.position, turn.history) = last;
        turn.history.given_up = None;
        let action = if turn.has_forgotten() { turn.begin_again(PAGES_GONE) } else { turn.fetch() };
        (turn, action)
    }

    /// Ends the turn early, in place of a fetch that was named or is under way.
    #[must_use]
    pub fn stop(&self, now: Timestamp) -> Action {
        // Empty pages lead on as well.
        match self.pages + self.empty_pages {
            0 => self.hand_back(Duration::ZERO),
            _ => self.finish(Outcome::Behind, Duration::ZERO, now),
        }
    }

    /// What is to outlive the page that was stored last, while the turn goes on.
    #[must_use]
    pub fn head(&self, chain: &Chain) -> Checkpoint {
        head::write(chain, &self.position, &self.past())
    }

    /// New events that the chain has stored in all.
    #[must_use]
    pub fn events_total(&self) -> u64 {
        self.history.events_total
    }

    /// The time of the newest event that the chain has stored.
    #[must_use]
    pub fn newest_event_at(&self) -> Option<Timestamp> {
        self.history.newest_event_at
    }

    /// No event that the chain has stored says that it happened later.
    #[must_use]
    pub fn latest_event_at(&self) -> Option<Timestamp> {
        self.position.latest_event_at
    }

    /// Nothing that the chain has stored is later, by the time that its feed is asked by; `None`: nothing is stored.
    #[must_use]
    pub fn reached(&self) -> Option<Timestamp> {
        match self.place() {
            Some(place) => place.newest(),
            None if self.policy.overlaps => self.history.last_success_at.filter(|_| self.history.events_total > 0),
            None => self.position.latest_event_at,
        }
    }

    /// No event that the chain has stored says that it happened later, nor had 1Password any of them later.
    #[must_use]
    pub fn stored_until(&self) -> Option<Timestamp> {
        self.position.latest_event_at.max(self.history.last_success_at)
    }

    /// From which time on, as the feed is asked, the API may repeat what was stored before a recovery; `None`: there is none under way.
    #[must_use]
    pub fn recovering_from(&self) -> Option<Timestamp> {
        self.reset.as_ref().map_or(self.position.recovering_from, |reset| reset.from)
    }

    /// Recoveries of the chain, with the one that the page asked for next belongs to.
    #[must_use]
    pub fn recoveries(&self) -> u32 {
        self.history.recoveries + u32::from(self.reset.is_some())
    }

    /// The sequence of the chain's newest page as far as the turn knows.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.position.sequence
    }

    /// Takes what happened and decides what comes next.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Step {
        match input {
            Input::Recovered { last_page, checkpoint } => self.recovered(last_page, checkpoint, now),
            Input::LookedBack { covered } => unsettled(self.looked_back(covered)),
            Input::Fetched(page) => unsettled(self.fetched(page, now)),
            // What was looked through a moment ago is not forgotten: there is no going on with who says so.
            Input::Forgotten if self.reset.is_some() => self.bus_failed(),
            Input::Forgotten => unsettled(self.begin_again(PAGES_GONE)),
            Input::FetchFailed(failure) => unsettled(self.fetch_failed(&failure, now)),
            Input::Off(off) => unsettled(self.finish(Outcome::Off(off), self.policy.poll_interval, now)),
            Input::Published(published) => self.published(published, now),
            Input::BusFailed => self.bus_failed(),
        }
    }

    fn recovered(
        &mut self,
        last_page: Option<LastPage>,
        checkpoint: Option<Box<(Position, History)>>,
        now: Timestamp,
    ) -> Step {
        let held = self.held.take();
        let stored = match (&held, &last_page) {
            // The same page further on is another fetcher's, in a recovery of its own: much may lie between.
            (Some(held), Some(last))
                if held.page_id == last.page_id && last.previous_sequence == self.position.sequence =>
            {
                Some(last.sequence)
            }
            _ => None,
        };
        // A page of ours that turned out to be stored needs no second look at the checkpoint: the history continues.
        if let (Some(held), Some(sequence)) = (held.as_ref(), stored) {
            return self.stored(held, sequence, now);
        }
        // Whoever was faster may have recovered the chain.
        self.reset = None;
        (self.position, self.history) = recover(last_page, checkpoint.map(|checkpoint| *checkpoint));
        let action = if self.has_forgotten() { self.begin_again(PAGES_GONE) } else { self.go_on(now) };
        Step { settled: held.map(|_| Settled::Dropped), action }
    }

    /// Whether the cursor may bring again what was stored on pages that are gone.
    fn has_forgotten(&self) -> bool {
        self.position.sequence == 0 && self.position.recovering_from.is_some() && self.reached().is_some()
    }

    fn fetched(&mut self, page: Fetched, now: Timestamp) -> Action {
        self.history.answered(now);
        let same_place = self.position.cursor.as_ref() == Some(&page.cursor);
        let same_page = self.position.page_id.as_ref() == Some(&page.page_id);
        let repetition = same_page || (same_place && page.new_items == 0);
        let known = self.policy.overlaps && page.items > 0 && page.new_items == 0;
        if page.items > 0 && !repetition && !known {
            self.empty_pages = 0;
            self.held = Some(page);
            return Action::Publish { expected: self.position.sequence };
        }
        // Nothing to store: the cursor may count at once.
        self.arrived_at(&page, now);
        self.position.cursor = Some(page.cursor);
        // What is known is read through like what is stored: within the turn's bounds.
        *(if known { &mut self.pages } else { &mut self.empty_pages }) += 1;
        match page.has_more {
            false => self.caught_up(now),
            true if same_place || repetition || self.empty_pages > MAX_EMPTY_PAGES => {
                self.fail(&failure::no_progress(), now)
            }
            true => self.go_on(now),
        }
    }

    fn published(&mut self, published: Published, now: Timestamp) -> Step {
        match published {
            Published::Stored(sequence) => match self.held.take() {
                Some(held) => self.stored(&held, sequence, now),
                None => unsettled(Action::Recover),
            },
            // The page stays held: the stream may hold it already.
            Published::Conflict | Published::Unknown => unsettled(self.disturbed(published, now)),
            Published::Full => {
                let action = self.fail(&failure::stream_full(), now);
                self.dropped(action)
            }
            Published::TooLarge => {
                let action = self.ask_for_less(&failure::page_too_large(), now);
                self.dropped(action)
            }
        }
    }

    fn stored(&mut self, page: &Fetched, sequence: u64, now: Timestamp) -> Step {
        self.pages += 1;
        self.disturbances = 0;
        // What a recovery brings again is no progress: an API that refuses every cursor would be asked without a pause.
        if page.new_items > 0 || self.recovering_from().is_none() {
            self.history.progressed();
        }
        self.arrived += u64::from(page.new_items);
        self.history.stored(page, now);
        self.arrived_at(page, now);
        (self.position.sequence, self.position.gone) = (sequence, 0);
        self.position.page_id = Some(page.page_id.clone());
        self.position.latest_event_at = self.position.latest_event_at.max(page.latest_event_at);
        self.position.cursor = Some(page.cursor.clone());
        let action = if page.has_more { self.go_on(now) } else { self.caught_up(now) };
        Step { settled: Some(Settled::Stored(sequence)), action }
    }

    /// The cursor counts: a recovery has succeeded with its first page, and is over with the page that has no more behind it.
    fn arrived_at(&mut self, page: &Fetched, now: Timestamp) {
        let from = self.recovering_from().filter(|_| page.has_more);
        self.position.recovering_from = from;
        if !self.continues() {
            self.history.page_limit = NonZeroU32::new(self.page_limit());
        }
        if let Some(Reset { from: Some(from), passed_by, reason, .. }) = self.reset.take() {
            self.history.recovered(Recovery { at: now, from, reason: reason.into() }, passed_by);
        }
        self.history.cursor_refusals = 0;
    }

    fn dropped(&mut self, action: Action) -> Step {
        self.held = None;
        Step { settled: Some(Settled::Dropped), action }
    }

    fn disturbed(&mut self, published: Published, now: Timestamp) -> Action {
        self.disturbances += 1;
        if self.disturbances <= MAX_DISTURBANCES {
            return Action::Recover;
        }
        match published {
            // Somebody else polls this chain; their checkpoints tell how it goes.
            Published::Conflict => self.hand_back(CONTENDED_PAUSE),
            _ => self.fail(&failure::bus_silent(), now),
        }
    }

    /// Without an answer the position is not certain, and an uncertain one must not become a checkpoint.
    fn bus_failed(&mut self) -> Step {
        let settled = self.held.take().map(|_| Settled::Dropped);
        self.history.failed();
        let pause = self.policy.transient.pause(self.history.consecutive_failures, self.jitter);
        Step { settled, action: self.hand_back(pause) }
    }
}

fn unsettled(action: Action) -> Step {
    Step { settled: None, action }
}
