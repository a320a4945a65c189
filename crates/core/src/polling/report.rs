//! What a turn leaves behind: the chain's position, its history, and when to come back.

use std::time::Duration;

use jiff::Timestamp;
use latchkey_contracts::{
    Chain,
    checkpoint::{Checkpoint, Outcome as WireOutcome, outcome::Kind},
};

use super::{Failure, Position};
use crate::instant;

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At the feed's end; nothing new.
    Quiet,
    /// At the feed's end; there were new events.
    Active,
    /// New events, and more of them waiting.
    Behind,
    /// A failure.
    Refused(Failure),
}

/// What is known of a chain's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The first turn's end.
    pub first_polled_at: Option<Timestamp>,
    /// The newest answer that was a page.
    pub last_success_at: Option<Timestamp>,
    /// When a page last brought a new event.
    pub last_arrival_at: Option<Timestamp>,
    /// Turns since the last that stored a page or reached the feed's end.
    pub consecutive_failures: u32,
    /// New events stored in all.
    pub events_total: u64,
}

impl History {
    pub(super) fn answered(&mut self, now: Timestamp) {
        self.last_success_at = Some(now);
    }

    /// An answer alone ends no series of failures: a page that cannot be stored would be asked for again and again without a pause.
    pub(super) fn progressed(&mut self) {
        self.consecutive_failures = 0;
    }

    pub(super) fn stored(&mut self, new_items: u32, now: Timestamp) {
        self.events_total += u64::from(new_items);
        if new_items > 0 {
            self.last_arrival_at = Some(now);
        }
    }

    pub(super) fn failed(&mut self) {
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
    }

    pub(super) fn polled(&mut self, now: Timestamp) {
        self.first_polled_at.get_or_insert(now);
    }

    /// Catches up with a page that was stored after the checkpoint this history came from.
    pub(super) fn with_page(mut self, fetched_at: Timestamp, has_news: bool, events_total: u64) -> Self {
        self.last_success_at = self.last_success_at.max(Some(fetched_at));
        self.events_total = events_total;
        if has_news {
            self.last_arrival_at = self.last_arrival_at.max(Some(fetched_at));
        }
        self
    }
}

/// The end of a turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Where the chain stands.
    pub position: Position,
    /// Its past, this turn included.
    pub history: History,
    /// How it went; `None` when there is nothing to tell: the chain was handed back untouched or somebody else is at work on it.
    pub outcome: Option<Outcome>,
    /// When the chain is due again, counted from now.
    pub delay: Duration,
}

impl Report {
    /// The checkpoint to publish, if there is something to tell.
    #[must_use]
    pub fn checkpoint(&self, chain: &Chain, source_label: &str, now: Timestamp) -> Option<Checkpoint> {
        let outcome = self.outcome.as_ref()?;
        let next_poll = now.checked_add(self.delay).unwrap_or(Timestamp::MAX);
        Some(Checkpoint {
            source: chain.source.to_string(),
            source_label: source_label.into(),
            feed: chain.feed.to_string(),
            cursor: self.position.cursor.as_ref().map(|cursor| cursor.as_str().into()).unwrap_or_default(),
            page_sequence: self.position.sequence,
            polled_at_unix_nano: instant::to_unix_nano(now),
            next_poll_at_unix_nano: instant::to_unix_nano(next_poll),
            first_polled_at_unix_nano: instant::optional_to_unix_nano(self.history.first_polled_at),
            last_success_at_unix_nano: instant::optional_to_unix_nano(self.history.last_success_at),
            last_arrival_at_unix_nano: instant::optional_to_unix_nano(self.history.last_arrival_at),
            consecutive_failures: self.history.consecutive_failures,
            outcome: Some(wire(outcome)),
            events_total: self.history.events_total,
        })
    }
}

/// Reads position and history back from a checkpoint. An unreadable cursor counts as none: the newest page then decides.
#[must_use]
pub fn read(checkpoint: &Checkpoint) -> (Position, History) {
    let position =
        Position { sequence: checkpoint.page_sequence, page_id: None, cursor: checkpoint.cursor.parse().ok() };
    let history = History {
        first_polled_at: instant::optional_from_unix_nano(checkpoint.first_polled_at_unix_nano),
        last_success_at: instant::optional_from_unix_nano(checkpoint.last_success_at_unix_nano),
        last_arrival_at: instant::optional_from_unix_nano(checkpoint.last_arrival_at_unix_nano),
        consecutive_failures: checkpoint.consecutive_failures,
        events_total: checkpoint.events_total,
    };
    (position, history)
}

fn wire(outcome: &Outcome) -> WireOutcome {
    let plain = |kind: Kind| WireOutcome { kind: kind.into(), ..WireOutcome::default() };
    match outcome {
        Outcome::Quiet => plain(Kind::Quiet),
        Outcome::Active => plain(Kind::Active),
        Outcome::Behind => plain(Kind::Behind),
        Outcome::Refused(failure) => WireOutcome {
            kind: Kind::Refused.into(),
            reason: failure.reason.into(),
            http_status: failure.http_status.into(),
            detail: failure.detail.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;

    #[test]
    fn a_checkpoint_reads_back() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let report = Report {
            position: Position { sequence: 4, page_id: None, cursor: "c".parse().ok() },
            history: History {
                first_polled_at: Some(now),
                last_success_at: None,
                last_arrival_at: Some(now - jiff::SignedDuration::from_secs(5)),
                consecutive_failures: 2,
                events_total: 9,
            },
            outcome: Some(Outcome::Quiet),
            delay: Duration::from_mins(1),
        };
        let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
        let checkpoint = report.checkpoint(&chain, "Acme", now).unwrap();
        assert_eq!(read(&checkpoint), (report.position.clone(), report.history.clone()));
        assert_eq!(checkpoint.next_poll_at_unix_nano - checkpoint.polled_at_unix_nano, 60_000_000_000);
        assert_eq!(Report { outcome: None, ..report }.checkpoint(&chain, "Acme", now), None);
    }
}
