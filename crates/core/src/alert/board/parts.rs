//! What goes onto the board and comes off it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{About, Chain, SourceId, alert::Alert};

use crate::{
    alert::Kind,
    lookup::Staleness,
    verdict::{ChainWindow, Poll, lag::Look, risk::risk},
};

/// What a look at streams and tables has seen.
#[derive(Debug, Default)]
pub struct Survey {
    /// Readers that were looked at.
    pub readers: Vec<Seen>,
    /// Bytes that streams hold and may hold, of those that refuse what is too much.
    pub streams: Vec<(&'static str, (u64, u64))>,
    /// Tables that somebody should refresh; `None` if they were not looked at.
    pub tables: Option<Vec<(String, Staleness)>>,
    /// Destinations that were looked at, by their names.
    pub destinations: Vec<(String, Waiting)>,
}

/// What a destination has not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// When the oldest notification of it was stored; `None` if it has them all.
    pub since: Option<Timestamp>,
    /// When this was seen.
    pub at: Timestamp,
}

/// One reader.
#[derive(Debug)]
pub struct Seen {
    /// The consumer's or the sink's name.
    pub name: String,
    /// The stream's.
    pub stream: &'static str,
    /// Whether it is a sink.
    pub is_sink: bool,
    /// What was seen.
    pub look: Look,
}

/// The last transition of an alert.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Sequence in ALERTS; 0 if there is none.
    pub sequence: u64,
    /// The transition; `None` if there is none or it cannot be read.
    pub last: Option<Alert>,
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
    /// The least time left for a source.
    pub ends: BTreeMap<SourceId, Timestamp>,
    /// The worst difference between a fetcher's clock and 1Password's.
    pub skew: Option<SignedDuration>,
}

impl Sight {
    pub(super) fn note(&mut self, window: &ChainWindow, poll: &Poll, now: Timestamp) {
        if let Some(risk) = risk(window, now) {
            let end = self.ends.entry(window.chain.source.clone()).or_insert(risk.at);
            *end = risk.at.min(*end);
        }
        // What a dead chain's fetcher once had for a clock proves nothing.
        let skew = window.clock_skew.filter(|_| poll.is_answered());
        let size = |skew: Option<SignedDuration>| skew.map(SignedDuration::unsigned_abs);
        if size(skew) > size(self.skew) {
            self.skew = skew;
        }
    }
}
