//! Reading the past again: scheduled audits, backfills and comparisons, a turn at a time.
//!
//! All three are one thing. A window of time, as the feed is asked, is read from the API span by span; each page is judged against what the
//! chain's stored pages hold of that span; what is missing is published as a page of the chain, onto the sequence up to which the pages were
//! looked through. Where that stands is in stream REREADS after every page, so whoever takes the task next goes on there; what was published
//! and not yet noted is found among the stored pages.
//!
//! Polling comes first: a reading begins when the chain has once been at its feed's end, takes its requests from what the budget leaves,
//! and few are at work at once: many of chains with little behind them, and two of others.

mod kept;
mod reader;
mod repair;
mod state;
mod stored;

use std::time::Duration;

use latchkey_contracts::task::{Task, task::Kind};
use latchkey_core::{
    audit::{Schedule, Span},
    budget::Work,
    instant,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::kept::Kept;
pub(crate) use self::reader::Reader;

/// Readings at once in this process. Ten thousand sources want ten a second, of which each waits for a few answers of 1Password's.
const AT_ONCE: usize = 16;

/// Of those, readings of chains that have stored more than [`LIGHT`] events: each may remember [`latchkey_core::audit::MAX_KNOWN`].
const HEAVY_AT_ONCE: usize = 2;

/// A chain that has stored no more events than this takes up less than 2 MB to be read again.
const LIGHT: u64 = 20_000;

/// When a reading that finds no place is offered again.
const NO_PLACE_PAUSE: Duration = Duration::from_secs(3);

/// The same for the audits on a schedule, which many chains begin together and none is in a hurry for: at most.
const NO_PLACE_FOR_AUDIT: Duration = Duration::from_mins(1);

/// When an audit is offered again that this fetcher is not to make: at most, and half as long at least, so that thousands that came together
/// do not stay together.
const OFF_PAUSE: Duration = Duration::from_mins(10);

/// The same; `random` is uniform in `[0, 1)`.
pub(crate) fn off_pause(random: f64) -> Duration {
    OFF_PAUSE.mul_f64(0.5 + random / 2.0)
}

/// What all readings of a process share.
pub(crate) struct Audits {
    /// `None`: nothing is audited but what recoveries have passed by, unless somebody asks.
    pub(crate) schedule: Option<Schedule>,
    places: Semaphore,
    heavy: Semaphore,
    kept: Kept,
}

impl Audits {
    pub(crate) fn new(schedule: Option<Schedule>) -> Self {
        Self { schedule, places: Semaphore::new(AT_ONCE), heavy: Semaphore::new(HEAVY_AT_ONCE), kept: Kept::default() }
    }

    /// A place to begin in, if there is one.
    pub(crate) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Room to read again what a chain has stored, so many events, if there is any.
    fn room(&self, events: u64) -> Option<SemaphorePermit<'_>> {
        self.heavy.try_acquire_many(u32::from(events > LIGHT)).ok()
    }
}

/// What a task asks for.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Whatever a recovery has passed by, and whatever window is due.
    Audit(Option<Schedule>),
    /// This window, under this name; delivered or only compared.
    Window { id: String, window: Span, compare_only: bool },
}

/// What becomes of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// It comes again.
    Again(Duration),
    /// It is done for ever.
    Done,
}

impl Order {
    /// `None` for a poll.
    pub(crate) fn of(task: &Task, schedule: Option<Schedule>) -> Option<Self> {
        let window =
            Span { from: instant::from_unix_nano(task.from_unix_nano), to: instant::from_unix_nano(task.to_unix_nano) };
        match task.kind() {
            Kind::Audit => Some(Self::Audit(schedule)),
            Kind::Backfill => Some(Self::Window { id: task.id.clone(), window, compare_only: false }),
            Kind::Compare => Some(Self::Window { id: task.id.clone(), window, compare_only: true }),
            Kind::Poll | Kind::Unspecified => None,
        }
    }

    /// Its word in subjects.
    fn kind(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit",
            Self::Window { compare_only: false, .. } => "backfill",
            Self::Window { compare_only: true, .. } => "compare",
        }
    }

    /// How long to wait for a place. `random` is uniform in `[0, 1)`.
    pub(crate) fn pause(&self, random: f64) -> Duration {
        match self {
            Self::Audit(_) => NO_PLACE_PAUSE + NO_PLACE_FOR_AUDIT.mul_f64(random),
            Self::Window { .. } => NO_PLACE_PAUSE,
        }
    }

    fn work(&self) -> Work {
        match self {
            Self::Window { compare_only: false, .. } => Work::Backfill,
            _ => Work::Audit,
        }
    }

    fn delivers(&self) -> bool {
        !matches!(self, Self::Window { compare_only: true, .. })
    }
}
