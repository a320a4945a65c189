//! What a turn leaves behind: the chain's position, its history, and when to come back.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    Chain,
    checkpoint::{Checkpoint, Outcome as WireOutcome, outcome::Kind},
};

use super::{Failure, History, Position};
use crate::instant;

/// What is said of a chain that is polled no more and never again, until somebody adds its source anew.
pub const REMOVED: &str = "removed";

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
    /// Not polled, on purpose.
    Off(Off),
}

/// Why a chain is not polled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Off {
    /// The token is not made for this feed.
    OutOfScope,
    /// Somebody has paused the source.
    Paused,
    /// Somebody has removed the source, or the feed from it: the chain's last word.
    Removed,
}

impl Off {
    const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfScope => "out_of_scope",
            Self::Paused => "paused",
            Self::Removed => REMOVED,
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::OutOfScope => "the token is not made for this feed; a token that is turns it on",
            Self::Paused => "the source is paused; `latchkey source resume` goes on where it stands",
            Self::Removed => {
                "the source or this feed of it was removed; what was fetched stays as long as the streams keep it"
            }
        }
    }
}

impl Outcome {
    /// The stable word of an outcome that brought no answer.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(failure) => Some(failure.reason),
            Self::Off(off) => Some(off.as_str()),
            Self::Quiet | Self::Active | Self::Behind => None,
        }
    }
}

/// What a checkpoint says beside the turn: things of the whole source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What the operator calls the source.
    pub source_label: String,
    /// From when on 1Password refuses the token, as the token says.
    pub token_expires_at: Option<Timestamp>,
    /// Why the newest token is not in use, while an older one is.
    pub token_fault: Option<TokenFault>,
    /// How far our clock is ahead of 1Password's.
    pub clock_skew: Option<SignedDuration>,
    /// The host that it is polled from.
    pub host: String,
}

/// A token that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFault {
    /// Why; free of secrets.
    pub reason: String,
    /// Since when this fetcher has seen it.
    pub since: Timestamp,
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
    pub fn checkpoint(&self, chain: &Chain, circumstances: &Circumstances, now: Timestamp) -> Option<Checkpoint> {
        let outcome = self.outcome.as_ref()?;
        let next_poll = now.checked_add(self.delay).unwrap_or(Timestamp::MAX);
        let skew = circumstances.clock_skew.map(|skew| i64::try_from(skew.as_nanos()).unwrap_or(i64::MAX));
        let fault = circumstances.token_fault.as_ref();
        let mut checkpoint = Checkpoint {
            source: chain.source.to_string(),
            source_label: circumstances.source_label.clone(),
            feed: chain.feed.to_string(),
            polled_at_unix_nano: instant::to_unix_nano(now),
            next_poll_at_unix_nano: instant::to_unix_nano(next_poll),
            outcome: Some(wire(outcome)),
            token_expires_at_unix_nano: instant::optional_to_unix_nano(circumstances.token_expires_at),
            clock_skew_nano: skew,
            token_fault: fault.map_or_else(String::new, |fault| fault.reason.clone()),
            token_fault_since_unix_nano: fault.map_or(0, |fault| instant::to_unix_nano(fault.since)),
            host: circumstances.host.clone(),
            ..Checkpoint::default()
        };
        self.position.write(&mut checkpoint);
        self.history.write(&mut checkpoint);
        Some(checkpoint)
    }
}

/// Reads position and history back from a checkpoint.
#[must_use]
pub fn read(checkpoint: &Checkpoint) -> (Position, History) {
    (Position::read(checkpoint), History::read(checkpoint))
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
        Outcome::Off(off) => WireOutcome {
            kind: Kind::Off.into(),
            reason: off.as_str().into(),
            http_status: 0,
            detail: off.detail().into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::Feed;

    use super::*;
    use crate::{
        audit::Span,
        polling::{Recovery, Refusal},
    };

    #[test]
    fn a_checkpoint_reads_back() {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let ago = |seconds| now - SignedDuration::from_secs(seconds);
        let recovery = Recovery { at: ago(3), from: ago(9_000), reason: "cursor_refused".into() };
        let report = Report {
            position: Position {
                sequence: 4,
                gone: 3,
                page_id: Some("a page".into()),
                latest_event_at: Some(now),
                cursor: "c".parse().ok(),
                recovering_from: Some(ago(9_000)),
            },
            history: History {
                first_polled_at: Some(now),
                began_from: Some(ago(1_000_000)),
                last_success_at: None,
                last_arrival_at: Some(ago(5)),
                consecutive_failures: 2,
                events_total: 9,
                newest_event_at: Some(ago(6)),
                caught_up_at: Some(ago(4)),
                recoveries: 1,
                last_recovery: Some(recovery),
                passed_by: Some(Span { from: ago(20_000), to: ago(9_000) }),
                passed_by_at: Some(ago(7)),
                given_up: None,
                page_limit: std::num::NonZeroU32::new(250),
                cursor_refusals: 1,
                refusal: Some(Refusal { reason: "cursor_refused".into(), since: ago(2) }),
            },
            outcome: Some(Outcome::Refused(Failure {
                reason: "cursor_refused",
                http_status: 400,
                retry_after: None,
                transient: true,
                detail: String::new(),
            })),
            delay: Duration::from_mins(1),
        };
        let chain = Chain { source: "acme".parse().unwrap(), feed: Feed::ItemUsages };
        let circumstances = Circumstances {
            source_label: "Acme".into(),
            token_expires_at: Some(now),
            token_fault: Some(TokenFault { reason: "token_sealed: why".into(), since: ago(60) }),
            clock_skew: Some(SignedDuration::from_millis(-1_500)),
            host: "events.1password.eu".into(),
        };
        let checkpoint = report.checkpoint(&chain, &circumstances, now).unwrap();
        assert_eq!(read(&checkpoint), (report.position.clone(), report.history.clone()));
        assert_eq!(checkpoint.next_poll_at_unix_nano - checkpoint.polled_at_unix_nano, 60_000_000_000);
        assert_eq!(checkpoint.token_expires_at_unix_nano, checkpoint.polled_at_unix_nano);
        assert_eq!(checkpoint.host, "events.1password.eu");
        assert_eq!(checkpoint.clock_skew_nano, Some(-1_500_000_000));
        assert_eq!(checkpoint.token_fault, "token_sealed: why");
        assert_eq!(checkpoint.token_fault_since_unix_nano, instant::to_unix_nano(ago(60)));
        assert_eq!(checkpoint.cursor_time_unix_nano, instant::to_unix_nano(ago(6)));
        assert_eq!(Report { outcome: None, ..report }.checkpoint(&chain, &circumstances, now), None);
    }

    #[test]
    fn a_feed_that_is_off_is_told_apart_from_one_that_is_refused() {
        for (off, reason) in [(Off::OutOfScope, "out_of_scope"), (Off::Paused, "paused"), (Off::Removed, "removed")] {
            let off = wire(&Outcome::Off(off));
            assert_eq!((off.kind(), off.reason.as_str(), off.http_status), (Kind::Off, reason, 0));
        }
    }
}
