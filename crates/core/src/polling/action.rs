//! What a turn names to be done, and what it is told came of it.

use jiff::Timestamp;

use super::{Failure, History, LastPage, Off, Position, Report};
use crate::cursor::Cursor;

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
    /// Ask the API: [`Input::Fetched`], [`Input::Forgotten`], [`Input::FetchFailed`] or [`Input::Off`].
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
    /// A page came, and is dropped: it may repeat what was stored on pages that are gone since the recovery under way began.
    Forgotten,
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

/// What [`super::Turn::handle`] decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Set when the fate of a published page became known with this input.
    pub settled: Option<Settled>,
    /// What to do next.
    pub action: Action,
}
