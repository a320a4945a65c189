//! The polling machine: how one chain is read, decided step by step.
//!
//! A [`Turn`] is what a fetcher does with a chain between taking its task and handing it back. It is a machine without I/O: it
//! names one [`Action`], the caller performs it and feeds back what happened, and so on until [`Action::Finish`].
//!
//! **The one contract: a cursor counts only when the page that brought it is stored.** A page is published onto the sequence of the
//! chain's previous page; every doubt (another fetcher was faster, no answer came) leads back to [`Action::Recover`], which reads what
//! the stream really holds. Nothing is retried in a loop here: a failure ends the turn, and the next one comes after a pause.
//!
//! A chain that cannot go on from its cursor, because the API refuses it or because the pages it brings are too large, is read again from a
//! point in time: [`Action::LookBack`] finds out which stored events could be recognised, and the page that follows takes the old cursor's
//! place as any page does, by being stored. A feed that is paged by tokens has a place in its cursor's stead, and begins anew where that says.

mod failure;
mod history;
mod phase;
mod policy;
mod position;
mod recovery;
mod report;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::recovery::Reset;
pub use self::{
    failure::{CURSOR_REFUSED, Failure, PAGE_TOO_LARGE, TOO_LARGE, no_room, over_budget},
    history::{History, Recovery, Refusal},
    phase::{is_in_place, until_next},
    policy::Policy,
    position::{LastPage, Position, recover},
    recovery::OVERLAP,
    report::{Circumstances, Off, Outcome, REMOVED, Report, TokenFault, read as read_checkpoint},
};
use crate::{backoff::Backoff, cursor::Cursor, page_token::Place};

/// Pages that one turn may store before it hands the chain back, so that a long backlog starves nobody.
pub const MAX_PAGES: u32 = 64;

/// How long a turn goes on before it hands the chain back: its checkpoint is the proof that somebody polls, and it is written at the
/// turn's end. With a last page that takes its whole time-out, a proof is never older than the two minutes a watcher waits for it.
pub const MAX_TURN: SignedDuration = SignedDuration::from_secs(45);

/// Empty pages in a row that may claim there is more.
pub const MAX_EMPTY_PAGES: u32 = 8;

/// Conflicts and unanswered publishes after which a turn gives up.
pub const MAX_DISTURBANCES: u32 = 4;

/// The longest pause a server can impose by Retry-After.
pub const MAX_RETRY_AFTER: Duration = Duration::from_hours(1);

/// Refusals in a row after which a cursor is given up: the second time it is not a hiccup.
pub const MAX_CURSOR_REFUSALS: u32 = 2;

/// After as much time of rate limits it is the limit of the hour that is used up, not that of the minute.
const MINUTE_WINDOW: SignedDuration = SignedDuration::from_mins(1);

/// Pause before a chain is taken up again on which somebody else was seen at work.
const CONTENDED_PAUSE: Duration = Duration::from_secs(5);

/// What to ask the API for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// From a point in time.
    From {
        /// That point.
        start: Timestamp,
        /// Events per page, of this one and all that follow by its cursor.
        limit: u32,
    },
    /// Where a page ended.
    After(Cursor),
}

/// What the caller performs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the chain's last page and last checkpoint: [`Input::Recovered`].
    Recover,
    /// Look through the stored pages for what could be recognised if it came again: [`Input::LookedBack`].
    LookBack {
        /// From which time on it is wanted: of events, or of their insertion where the feed is asked by that.
        from: Timestamp,
    },
    /// Ask the API: [`Input::Fetched`], [`Input::FetchFailed`] or [`Input::Off`].
    Fetch(Request),
    /// Store the fetched page onto the sequence `expected`: [`Input::Published`].
    Publish {
        /// Sequence of the chain's page before it.
        expected: u64,
    },
    /// The turn is over: write the checkpoint if there is one and hand the task back.
    Finish(Box<Report>),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// What the streams hold.
    Recovered {
        /// The chain's newest page.
        last_page: Option<LastPage>,
        /// Its position and history by the newest checkpoint.
        checkpoint: Option<Box<(Position, History)>>,
    },
    /// Every stored event from this time on would be recognised.
    LookedBack {
        /// That time; at or before the wanted one if all went well.
        covered: Timestamp,
    },
    /// A page came.
    Fetched(Fetched),
    /// Nothing was asked, on purpose.
    Off(Off),
    /// No page came.
    FetchFailed(Failure),
    /// What became of the page.
    Published(Published),
    /// A stream could not be read or written.
    BusFailed,
}

/// The part of a page that decisions need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The page's identity.
    pub page_id: String,
    /// Where to continue after it.
    pub cursor: Cursor,
    /// Whether the API claims more.
    pub has_more: bool,
    /// How many items it has.
    pub items: u32,
    /// How many of them the chain has not stored before.
    pub new_items: u32,
    /// The time of the newest of them, if it can be read.
    pub newest_event_at: Option<Timestamp>,
    /// The latest time that any of them says, of the future too.
    pub latest_event_at: Option<Timestamp>,
}

/// What became of a published page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Stored at this sequence.
    Stored(u64),
    /// The expected sequence is not the last.
    Conflict,
    /// The stream is full.
    Full,
    /// The page exceeds the server's payload limit.
    TooLarge,
    /// No answer: stored, to be stored, or lost.
    Unknown,
}

/// The fate of the page that was published last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is stored, and its cursor counts.
    Stored(u64),
    /// It is not known to be stored; what the stream holds counts instead.
    Dropped,
}

/// What [`Turn::handle`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Set when the fate of a published page became known with this input.
    pub settled: Option<Settled>,
    /// What to do next.
    pub action: Action,
}

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
        let action = turn.fetch();
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
        Step { settled: held.map(|_| Settled::Dropped), action: self.go_on(now) }
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
        self.position.sequence = sequence;
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

    fn go_on(&self, now: Timestamp) -> Action {
        let goes_on = self.pages < MAX_PAGES && now.duration_since(self.began_at) < MAX_TURN;
        if goes_on { self.fetch() } else { self.stop(now) }
    }

    fn fetch(&self) -> Action {
        match (&self.reset, &self.position.cursor) {
            (Some(Reset { from: Some(from), place: Some(place), .. }), _) => {
                let anew = place.anew(self.limit).beginning_after(*from);
                Action::Fetch(Request::After(anew.cursor().expect("a place without a token is short")))
            }
            (Some(Reset { from: Some(start), .. }), _) => {
                let limit = recovery::page_limit(self.limit, self.history.recoveries);
                Action::Fetch(Request::From { start: *start, limit })
            }
            (Some(Reset { from: None, place: Some(place), .. }), _) => {
                Action::LookBack { from: place.anew(self.limit).begins_after() }
            }
            (Some(Reset { from: None, place: None, .. }), _) => {
                Action::LookBack { from: recovery::wanted(&self.history, self.start()) }
            }
            (None, Some(cursor)) => Action::Fetch(Request::After(cursor.clone())),
            (None, None) => Action::Fetch(Request::From { start: self.policy.start, limit: self.limit }),
        }
    }

    /// The chain's own: where its source's was moved to since, it has not asked.
    fn start(&self) -> Timestamp {
        self.history.start(self.policy.start)
    }

    fn looked_back(&mut self, covered: Timestamp) -> Action {
        let start = self.start();
        if let Some(reset) = &mut self.reset {
            let (from, passed_by) = match &reset.place {
                Some(place) => recovery::after_a_place(&place.anew(self.limit), covered),
                None => recovery::after_a_cursor(&self.history, start, covered),
            };
            (reset.from, reset.passed_by) = (Some(from), passed_by);
        }
        self.fetch()
    }

    fn fetch_failed(&mut self, failure: &Failure, now: Timestamp) -> Action {
        if failure.refuses_the_request() && self.continues() {
            self.history.cursor_refusals += 1;
            return match self.history.cursor_refusals {
                ..MAX_CURSOR_REFUSALS => self.fail(&failure::cursor_refused(), now),
                // There is no token to give up.
                _ if self.place().is_some_and(|place| !place.is_under_way()) => self.fail(failure, now),
                _ => self.begin_again(CURSOR_REFUSED),
            };
        }
        if failure.is_of_size() { self.ask_for_less(failure, now) } else { self.fail(failure, now) }
    }

    /// Whether the last request went on from a cursor.
    fn continues(&self) -> bool {
        self.reset.is_none() && self.position.cursor.is_some()
    }

    /// Half as many events per page. A cursor carries its limit, so a smaller one needs another beginning.
    fn ask_for_less(&mut self, failure: &Failure, now: Timestamp) -> Action {
        if self.limit <= 1 {
            return self.fail(failure, now);
        }
        self.limit /= 2;
        if self.continues() { self.begin_again(failure.reason) } else { self.fetch() }
    }

    fn begin_again(&mut self, reason: &'static str) -> Action {
        self.reset = Some(Reset { from: None, passed_by: None, place: self.place(), reason });
        self.fetch()
    }

    /// Where the chain stands, in a feed that is paged by tokens.
    fn place(&self) -> Option<Place> {
        self.position.cursor.as_ref().filter(|_| self.policy.overlaps).and_then(Place::read)
    }

    fn caught_up(&mut self, now: Timestamp) -> Action {
        self.history.progressed();
        // When the answer was made is not known; it was not before the turn began.
        self.history.caught_up_at = Some(self.began_at);
        let outcome = if self.arrived > 0 { Outcome::Active } else { Outcome::Quiet };
        self.finish(outcome, self.policy.poll_interval, now)
    }

    fn fail(&mut self, failure: &Failure, now: Timestamp) -> Action {
        self.history.failed();
        let pause = self.backoff(failure, now).pause(self.history.consecutive_failures, self.jitter);
        let asked = failure.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        self.finish(Outcome::Refused(failure.clone()), pause.max(asked), now)
    }

    fn backoff(&self, failure: &Failure, now: Timestamp) -> Backoff {
        let limited_for_long = failure.is_rate_limit()
            && failure.retry_after.is_none()
            && self.history.refused_for(failure.reason, now) >= MINUTE_WINDOW;
        match failure.transient {
            _ if limited_for_long => self.policy.hourly,
            true => self.policy.transient,
            false => self.policy.permanent,
        }
    }

    fn finish(&self, outcome: Outcome, delay: Duration, now: Timestamp) -> Action {
        let mut history = self.history.clone();
        history.polled(&outcome, now);
        if self.position.cursor.is_some() {
            history.began_from.get_or_insert(self.policy.start);
        }
        Action::Finish(Box::new(Report { position: self.position.clone(), history, outcome: Some(outcome), delay }))
    }

    fn hand_back(&self, delay: Duration) -> Action {
        let report = Report { position: self.position.clone(), history: self.history.clone(), outcome: None, delay };
        Action::Finish(Box::new(report))
    }
}

fn unsettled(action: Action) -> Step {
    Step { settled: None, action }
}
