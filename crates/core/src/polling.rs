//! The polling machine: how one chain is read, decided step by step.
//!
//! A [`Turn`] is what a fetcher does with a chain between taking its task and handing it back. It is a machine without I/O: it
//! names one [`Action`], the caller performs it and feeds back what happened, and so on until [`Action::Finish`].
//!
//! **The one contract: a cursor counts only when the page that brought it is stored.** A page is published onto the sequence of the
//! chain's previous page; every doubt (another fetcher was faster, no answer came) leads back to [`Action::Recover`], which reads what
//! the stream really holds. Nothing is retried in a loop here: a failure ends the turn, and the next one comes after a pause.

mod position;
mod report;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    position::{LastPage, Position},
    report::{History, Outcome, Report, read as read_checkpoint},
};
use crate::{backoff::Backoff, cursor::Cursor};

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

/// Pause before a chain is taken up again on which somebody else was seen at work.
const CONTENDED_PAUSE: Duration = Duration::from_secs(5);

/// What does not change during a turn.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Pause between two polls that reach the feed's end.
    pub poll_interval: Duration,
    /// Where a chain begins that has never been polled.
    pub start: Timestamp,
    /// Pauses after failures that may heal by themselves.
    pub transient: Backoff,
    /// Pauses after failures that need somebody's help.
    pub permanent: Backoff,
}

/// What to ask the API for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// From a point in time.
    From(Timestamp),
    /// Where a page ended.
    After(Cursor),
}

/// What the caller performs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Read the chain's last page and last checkpoint: [`Input::Recovered`].
    Recover,
    /// Ask the API: [`Input::Fetched`] or [`Input::FetchFailed`].
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
        checkpoint: Option<(Position, History)>,
    },
    /// A page came.
    Fetched(Fetched),
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
}

/// Why no page came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word for metrics and alerts.
    pub reason: &'static str,
    /// The HTTP status; 0 if there was none.
    pub http_status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// Whether it may heal by itself.
    pub transient: bool,
    /// What the operator should know, free of secrets and personal data.
    pub detail: String,
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
    held: Option<Fetched>,
    pages: u32,
    empty_pages: u32,
    disturbances: u32,
    arrived: u64,
    began_at: Timestamp,
}

impl Turn {
    /// Begins a turn. It always reads first what the streams hold: two small reads beside a request to 1Password, and no memory that
    /// could be stale. `jitter` is uniform in `[0, 1)`.
    #[must_use]
    pub fn begin(policy: Policy, jitter: f64, now: Timestamp) -> (Self, Action) {
        let turn = Self {
            policy,
            jitter,
            position: Position::default(),
            history: History::default(),
            held: None,
            pages: 0,
            empty_pages: 0,
            disturbances: 0,
            arrived: 0,
            began_at: now,
        };
        (turn, Action::Recover)
    }

    /// Ends the turn early, in place of a fetch that was named or is under way.
    #[must_use]
    pub fn stop(&self, now: Timestamp) -> Action {
        match self.pages {
            0 => self.hand_back(Duration::ZERO),
            _ => self.finish(Outcome::Behind, Duration::ZERO, now),
        }
    }

    /// New events that the chain has stored in all.
    #[must_use]
    pub fn events_total(&self) -> u64 {
        self.history.events_total
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
            Input::Fetched(page) => unsettled(self.fetched(page, now)),
            Input::FetchFailed(failure) => unsettled(self.fail(&failure, now)),
            Input::Published(published) => self.published(published, now),
            Input::BusFailed => self.bus_failed(),
        }
    }

    fn recovered(
        &mut self,
        last_page: Option<LastPage>,
        checkpoint: Option<(Position, History)>,
        now: Timestamp,
    ) -> Step {
        let held = self.held.take();
        let stored = match (&held, &last_page) {
            (Some(held), Some(last)) if held.page_id == last.page_id => Some(last.sequence),
            _ => None,
        };
        // A page of ours that turned out to be stored needs no second look at the checkpoint: the history continues.
        if let (Some(held), Some(sequence)) = (held.as_ref(), stored) {
            return self.stored(held, sequence, now);
        }
        (self.position, self.history) = position::recover(last_page, checkpoint);
        Step { settled: held.map(|_| Settled::Dropped), action: self.go_on(now) }
    }

    fn fetched(&mut self, page: Fetched, now: Timestamp) -> Action {
        self.history.answered(now);
        let same_place = self.position.cursor.as_ref() == Some(&page.cursor);
        let same_page = self.position.page_id.as_ref() == Some(&page.page_id);
        let repetition = same_page || (same_place && page.new_items == 0);
        if page.items > 0 && !repetition {
            self.empty_pages = 0;
            self.held = Some(page);
            return Action::Publish { expected: self.position.sequence };
        }
        // Nothing to store: the cursor may count at once.
        self.position.cursor = Some(page.cursor);
        self.empty_pages += 1;
        match page.has_more {
            false => self.caught_up(now),
            true if same_place || repetition || self.empty_pages > MAX_EMPTY_PAGES => self.fail(&no_progress(), now),
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
            Published::Full => self.dropped(&stream_full(), now),
            Published::TooLarge => self.dropped(&page_too_large(), now),
        }
    }

    fn stored(&mut self, page: &Fetched, sequence: u64, now: Timestamp) -> Step {
        self.pages += 1;
        self.disturbances = 0;
        self.history.progressed();
        self.arrived += u64::from(page.new_items);
        self.history.stored(page.new_items, now);
        self.position = Position { sequence, page_id: Some(page.page_id.clone()), cursor: Some(page.cursor.clone()) };
        let action = if page.has_more { self.go_on(now) } else { self.caught_up(now) };
        Step { settled: Some(Settled::Stored(sequence)), action }
    }

    fn dropped(&mut self, failure: &Failure, now: Timestamp) -> Step {
        self.held = None;
        Step { settled: Some(Settled::Dropped), action: self.fail(failure, now) }
    }

    fn disturbed(&mut self, published: Published, now: Timestamp) -> Action {
        self.disturbances += 1;
        if self.disturbances <= MAX_DISTURBANCES {
            return Action::Recover;
        }
        match published {
            // Somebody else polls this chain; their checkpoints tell how it goes.
            Published::Conflict => self.hand_back(CONTENDED_PAUSE),
            _ => self.fail(&bus_silent(), now),
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
        Action::Fetch(match &self.position.cursor {
            Some(cursor) => Request::After(cursor.clone()),
            None => Request::From(self.policy.start),
        })
    }

    fn caught_up(&mut self, now: Timestamp) -> Action {
        self.history.progressed();
        let outcome = if self.arrived > 0 { Outcome::Active } else { Outcome::Quiet };
        self.finish(outcome, self.policy.poll_interval, now)
    }

    fn fail(&mut self, failure: &Failure, now: Timestamp) -> Action {
        self.history.failed();
        let backoff = if failure.transient { self.policy.transient } else { self.policy.permanent };
        let pause = backoff.pause(self.history.consecutive_failures, self.jitter);
        let asked = failure.retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        self.finish(Outcome::Refused(failure.clone()), pause.max(asked), now)
    }

    fn finish(&self, outcome: Outcome, delay: Duration, now: Timestamp) -> Action {
        let mut history = self.history.clone();
        history.polled(now);
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

fn no_progress() -> Failure {
    Failure {
        reason: "no_progress",
        http_status: 200,
        retry_after: None,
        transient: true,
        detail: "the API claims there is more and repeats itself; asking again later".into(),
    }
}

fn stream_full() -> Failure {
    Failure {
        reason: "stream_full",
        http_status: 0,
        retry_after: None,
        transient: true,
        detail: "stream PAGES is full and evicts nothing unread; raise its limit or let readers catch up".into(),
    }
}

fn page_too_large() -> Failure {
    Failure {
        reason: "page_too_large",
        http_status: 0,
        retry_after: None,
        transient: false,
        detail: "a page exceeds max_payload of the NATS server; raise max_payload, 8 MB is enough".into(),
    }
}

fn bus_silent() -> Failure {
    Failure {
        reason: "bus_unavailable",
        http_status: 0,
        retry_after: None,
        transient: true,
        detail: "NATS did not answer; the page is fetched again".into(),
    }
}
