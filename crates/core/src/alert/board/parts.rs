//! What goes onto the board and comes off it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{About, Chain, SourceId, alert::Alert};

use crate::{
    alert::Kind,
    verdict::{ChainWindow, Poll, lag::Repeats, risk::ends_at, room::Fill},
};

/// The last transition of an alert.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Sequence in ALERTS; 0 if there is none.
    pub sequence: u64,
    /// The transition; `None` if there is none or it cannot be read.
    pub last: Option<Alert>,
}

/// How far a clock is ahead of NATS's. The server that leads a stream gives its looks and messages their times, and servers' clocks may be
/// apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Of NATS as a whole, for streams that have not been asked.
    pub all: SignedDuration,
    /// Of the servers that lead these streams.
    pub by_stream: BTreeMap<&'static str, SignedDuration>,
}

impl Ahead {
    /// Of the server that leads the stream.
    #[must_use]
    pub fn of(&self, stream: &str) -> SignedDuration {
        self.by_stream.get(stream).copied().unwrap_or(self.all)
    }

    /// The streams whose servers' clocks are farthest apart, the one that is behind first, and by how much; `None` below two.
    #[must_use]
    pub fn apart(&self) -> Option<(&'static str, &'static str, SignedDuration)> {
        // Whoever is farther ahead of a clock has it behind the others.
        let (behind, most) = self.by_stream.iter().max_by_key(|(_, ahead)| **ahead)?;
        let (before, least) = self.by_stream.iter().min_by_key(|(_, ahead)| **ahead)?;
        (behind != before).then(|| (*behind, *before, most.saturating_sub(*least)))
    }
}

/// One thing to do for an alert.
#[derive(Debug, PartialEq)]
pub enum Step {
    /// Read its last transition.
    Read {
        /// Its kind.
        kind: Kind,
        /// What it is about.
        about: About,
    },
    /// Publish this one onto it.
    Publish {
        /// Its kind.
        kind: Kind,
        /// What it is about.
        about: About,
        /// The transition.
        alert: Box<Alert>,
        /// The sequence it follows.
        expected: u64,
    },
}

/// What a sweep has seen, for metrics.
#[derive(Debug, Default)]
pub struct Sight {
    /// Chains with their verdicts.
    pub polls: Vec<(Chain, &'static str)>,
    /// When a source's events begin to be lost or stop coming, at the earliest that is known: by its own clocks, or by the line's. Sources
    /// stand in their order, as in `polls`.
    pub ends: Vec<(SourceId, Timestamp)>,
    /// The worst difference between a fetcher's clock and 1Password's.
    pub skew: Option<SignedDuration>,
    /// Readers of streams.
    pub readers: Vec<SeenReader>,
    /// Streams that refuse what is too much.
    pub streams: Vec<SeenStream>,
}

/// A reader, as of the newest look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenReader {
    /// The consumer's or the sink's name.
    pub name: String,
    /// The stream's.
    pub stream: &'static str,
    /// How it is; `None` if nobody has looked for a while.
    pub now: Option<Lag>,
}

/// How far a reader is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// Messages that it is not done with.
    pub messages: u64,
    /// How long the oldest unread one has waited.
    pub age: SignedDuration,
    /// What came again, of a consumer.
    pub repeats: Option<Repeats>,
    /// When its oldest unread message leaves the stream, if it does, by the clock of the times that the board is given.
    pub evicts_at: Option<Timestamp>,
}

/// A stream, as of the newest look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenStream {
    /// Its name.
    pub name: &'static str,
    /// What it holds and may hold, and when it is full if it goes on growing so, by the clock of the times that the board is given; `None` if
    /// nobody has looked for a while.
    pub now: Option<(Fill, Option<Timestamp>)>,
}

impl Sight {
    /// Notes a chain, where the whole line begins to lose events at `line_ends_at`. To be called in the order of chains.
    pub(super) fn note(&mut self, window: &ChainWindow, poll: &Poll, line_ends_at: Option<Timestamp>) {
        if let Some(at) = ends_at(window).into_iter().chain(line_ends_at).min() {
            match self.ends.last_mut() {
                Some((source, end)) if *source == window.chain.source => *end = at.min(*end),
                _ => self.ends.push((window.chain.source.clone(), at)),
            }
        }
        // What a dead chain's fetcher once had for a clock proves nothing.
        let skew = window.clock_skew.filter(|_| poll.is_answered());
        let size = |skew: Option<SignedDuration>| skew.map(SignedDuration::unsigned_abs);
        if size(skew) > size(self.skew) {
            self.skew = skew;
        }
    }
}

/// When the line as a whole begins to lose events, if it goes on as it does: messages leave a stream unread, or a stream is full.
pub(super) fn line_ends_at(readers: &[SeenReader], streams: &[SeenStream]) -> Option<Timestamp> {
    let evicted = readers.iter().filter_map(|reader| reader.now?.evicts_at);
    let full = streams.iter().filter_map(|stream| stream.now?.1);
    evicted.chain(full).min()
}
