//! What is known of one chain.
//!
//! The chain's last checkpoint carries enough of its past for every verdict of today. Verdicts take this type and not the message,
//! so that more history can come in without their noticing.

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    Chain,
    checkpoint::{self, Checkpoint, outcome::Kind},
};

use crate::{
    instant,
    polling::{REMOVED, TokenFault},
};

/// The longest texts that are taken over from a checkpoint, in characters: they end in alerts.
const MAX_TEXT: usize = 500;

/// One chain as its checkpoints show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainWindow {
    /// Which chain.
    pub chain: Chain,
    /// What the operator calls its source.
    pub source_label: String,
    /// When it was polled last.
    pub polled_at: Timestamp,
    /// When it is polled next if its fetcher lives. Never before `polled_at`.
    pub next_poll_at: Timestamp,
    /// When it was polled for the first time.
    pub first_polled_at: Timestamp,
    /// The last answer that was a page.
    pub last_success_at: Option<Timestamp>,
    /// When a page last brought a new event.
    pub last_arrival_at: Option<Timestamp>,
    /// Turns since the last success.
    pub consecutive_failures: u32,
    /// How the last turn ended.
    pub outcome: Outcome,
    /// New events that the chain has stored in all.
    pub events_total: u64,
    /// When 1Password begins to refuse the token, if it says so.
    pub token_expires_at: Option<Timestamp>,
    /// How far the fetcher's clock is ahead of 1Password's.
    pub clock_skew: Option<SignedDuration>,
    /// Since when events may be unread: since the chain last stood at the feed's end. Of one that never has, where it claims to be.
    pub position_at: Option<Timestamp>,
    /// The host that it is polled from; empty if it is not known.
    pub host: String,
    /// Why the newest token is not in use, while an older one is.
    pub token_fault: Option<TokenFault>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// At the feed's end; nothing new.
    Quiet,
    /// New events, at the feed's end or with more of them waiting.
    Active,
    /// Not polled on purpose: the token is not made for the feed.
    Off,
    /// Not polled any more: the chain's source or this feed of it was removed.
    Removed,
    /// The poll failed.
    Refused {
        /// A stable word.
        reason: String,
        /// The answer's status, if there was one.
        http_status: Option<u32>,
        /// What the operator should know.
        detail: String,
    },
}

/// A checkpoint that ends in a way this version does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the checkpoint's outcome is of unknown kind {0}")]
pub struct UnknownOutcome(pub i32);

impl ChainWindow {
    /// Reads a checkpoint of `chain`.
    pub fn read(chain: Chain, checkpoint: &Checkpoint) -> Result<Self, UnknownOutcome> {
        let polled_at = instant::from_unix_nano(checkpoint.polled_at_unix_nano);
        let first_polled_at = instant::optional_from_unix_nano(checkpoint.first_polled_at_unix_nano);
        let label = text(&checkpoint.source_label);
        Ok(Self {
            source_label: if label.is_empty() { chain.source.to_string() } else { label },
            chain,
            polled_at,
            next_poll_at: instant::from_unix_nano(checkpoint.next_poll_at_unix_nano).max(polled_at),
            first_polled_at: first_polled_at.unwrap_or(polled_at),
            last_success_at: instant::optional_from_unix_nano(checkpoint.last_success_at_unix_nano),
            last_arrival_at: instant::optional_from_unix_nano(checkpoint.last_arrival_at_unix_nano),
            consecutive_failures: checkpoint.consecutive_failures,
            outcome: checkpoint.outcome.as_ref().map_or(Err(UnknownOutcome(0)), outcome)?,
            events_total: checkpoint.events_total,
            token_expires_at: instant::optional_from_unix_nano(checkpoint.token_expires_at_unix_nano),
            clock_skew: checkpoint.clock_skew_nano.map(SignedDuration::from_nanos),
            position_at: position_at(checkpoint, first_polled_at.unwrap_or(polled_at)),
            host: text(&checkpoint.host),
            token_fault: (!checkpoint.token_fault.is_empty()).then(|| TokenFault {
                reason: text(&checkpoint.token_fault),
                since: instant::optional_from_unix_nano(checkpoint.token_fault_since_unix_nano).unwrap_or(polled_at),
            }),
        })
    }

    /// The earliest moment since which the chain may have been without an answer.
    pub(super) fn unanswered_since(&self) -> Timestamp {
        self.last_success_at.unwrap_or(self.first_polled_at)
    }
}

/// Whatever had arrived when the chain stood at the feed's end is stored; what its newest event says proves nothing, since devices' clocks
/// may be ahead. Until a chain has stood there it shows where the chain is all the same, but no later than the first poll: of what has
/// happened since then nobody can say that it is read.
fn position_at(checkpoint: &Checkpoint, first_polled_at: Timestamp) -> Option<Timestamp> {
    let claimed = || instant::optional_from_unix_nano(checkpoint.cursor_time_unix_nano);
    instant::optional_from_unix_nano(checkpoint.caught_up_at_unix_nano)
        .or_else(|| claimed().map(|newest| newest.min(first_polled_at)))
}

fn outcome(outcome: &checkpoint::Outcome) -> Result<Outcome, UnknownOutcome> {
    match outcome.kind() {
        Kind::Quiet => Ok(Outcome::Quiet),
        Kind::Active | Kind::Behind => Ok(Outcome::Active),
        Kind::Off if outcome.reason == REMOVED => Ok(Outcome::Removed),
        Kind::Off => Ok(Outcome::Off),
        Kind::Refused => Ok(Outcome::Refused {
            reason: text(&outcome.reason),
            http_status: (outcome.http_status != 0).then_some(outcome.http_status),
            detail: text(&outcome.detail),
        }),
        Kind::Unspecified => Err(UnknownOutcome(outcome.kind)),
    }
}

fn text(text: &str) -> String {
    text.trim().chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;
    use crate::verdict::samples::at;

    /// Of a chain that was first polled at 1,000, with what is known of it in seconds.
    fn check(newest_event: Option<i64>, caught_up: Option<i64>, expect: Option<i64>) {
        let nanos = |second: Option<i64>| instant::optional_to_unix_nano(second.map(at));
        let checkpoint = Checkpoint {
            polled_at_unix_nano: nanos(Some(9_000)),
            first_polled_at_unix_nano: nanos(Some(1_000)),
            cursor_time_unix_nano: nanos(newest_event),
            caught_up_at_unix_nano: nanos(caught_up),
            outcome: Some(checkpoint::Outcome { kind: Kind::Quiet.into(), ..checkpoint::Outcome::default() }),
            ..Checkpoint::default()
        };
        let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
        let window = ChainWindow::read(chain, &checkpoint).unwrap();
        assert_eq!(window.position_at, expect.map(at), "newest event {newest_event:?}, caught up {caught_up:?}");
    }

    #[test]
    fn a_chain_is_where_it_has_stood_and_not_where_an_event_claims() {
        check(None, None, None);
        check(None, Some(8_000), Some(8_000));
        // A quiet feed: its newest event is old.
        check(Some(-90_000), Some(8_000), Some(8_000));
        // A clock is ahead, and the chain has not stood at the end since.
        check(Some(8_999), Some(2_000), Some(2_000));
        // The first pull of the past.
        check(Some(-90_000), None, Some(-90_000));
        check(Some(8_999), None, Some(1_000));
    }
}
