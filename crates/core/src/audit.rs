//! Reading the past again: what of it is stored, what is not, and when to look.
//!
//! An audit reads a closed window of a chain's past from the API and compares it, uuid by uuid, with the pages that the chain holds; a
//! backfill does the same with a window that nobody asked for before. Both deliver what is missing, and nothing else: **an event counts as
//! missing only if every page that could hold it has been looked through.** Where retention has removed such pages, nothing is judged.

mod known;
mod obstacle;
mod schedule;

use jiff::{SignedDuration, Timestamp};

pub use self::{
    known::{Judged, Known, MAX_KNOWN},
    obstacle::Obstacle,
    schedule::{Due, Schedule},
};

/// How far an event's time may lie behind the moment at which it was stored, where its page does not note how far it does
/// ([`crate::look_back::latest_event_up_to`]), and where pages are gone.
pub const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The longest span that is read by one reset.
pub const MAX_SPAN: SignedDuration = SignedDuration::from_hours(24);

/// A stretch of time, as the feed is asked (when events happened, or when 1Password had them): its begin belongs to it, its end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

impl Span {
    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.from >= self.to
    }

    /// Whether a time lies in it.
    #[must_use]
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }

    /// The part of it that is read next, where everything before `at` is done.
    #[must_use]
    pub fn next(&self, at: Timestamp) -> Self {
        let from = at.max(self.from);
        Self { from, to: from.saturating_add(MAX_SPAN).unwrap_or(self.to).min(self.to) }
    }

    /// The shortest span that holds both.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self { from: self.from.min(other.from), to: self.to.max(other.to) }
    }

    /// Its first half.
    fn halved(self) -> Self {
        Self { to: self.from + self.to.duration_since(self.from) / 2, ..self }
    }
}
