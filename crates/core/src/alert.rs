//! The life of an alert: raised once, resolved once, from verdicts.
//!
//! An alert is a state per kind and chain (or per kind alone, for [files] that serve every chain), and its history is a list of transitions of which the last one counts. What follows from
//! a verdict is decided against that last transition alone, so any number of alerters, started at any time, decide the same; the
//! stream lets only one of them write it down.
//!
//! A verdict that cannot be given changes nothing: an alert that is raised stays so until somebody *knows* better.

pub mod files;
mod next_step;
mod wording;

use jiff::Timestamp;
use latchkey_contracts::alert::{Alert, alert::State};

pub use self::next_step::of_refusal as next_step_of_refusal;
use crate::{
    instant,
    verdict::{ChainWindow, DropOff, Judgement, Poll},
};

/// What alerts of a chain are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nobody polls a chain.
    PollDead,
    /// A chain is polled and refused.
    PollRefused,
    /// A source has fallen silent.
    DropOff,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::PollDead, Self::PollRefused, Self::DropOff];

    /// The kind's stable word, in subjects, messages and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PollDead => "poll_dead",
            Self::PollRefused => "poll_refused",
            Self::DropOff => "drop_off",
        }
    }
}

/// What a judgement means for one kind of alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The condition holds.
    Alarm {
        /// Since when.
        since: Timestamp,
    },
    /// It does not.
    Clear,
    /// Cannot be said.
    Unsure,
}

/// What `judgement` means for alerts of `kind`.
#[must_use]
pub fn find(kind: Kind, judgement: &Judgement) -> Finding {
    match (kind, &judgement.poll, judgement.drop_off) {
        (Kind::PollDead, Poll::Dead { since }, _) => Finding::Alarm { since: *since },
        (Kind::PollRefused, Poll::Refused(refusal), _) if refusal.lasting => Finding::Alarm { since: refusal.since },
        (Kind::DropOff, _, DropOff::Alarm { since }) => Finding::Alarm { since },
        // A failed poll proves that somebody polls.
        (Kind::PollDead, Poll::Refused(_) | Poll::Quiet | Poll::Active, _)
        | (Kind::PollRefused, Poll::Quiet | Poll::Active, _)
        | (Kind::DropOff, _, DropOff::Ok) => Finding::Clear,
        (Kind::PollDead, Poll::Unknown, _)
        | (Kind::PollRefused, Poll::Unknown | Poll::Dead { .. } | Poll::Refused(_), _)
        | (Kind::DropOff, _, DropOff::InsufficientData) => Finding::Unsure,
    }
}

/// The transition that follows from `judgement` after `previous`, the alert's last one; `None` if the alert stays as it is.
#[must_use]
pub fn transition(
    previous: Option<&Alert>,
    kind: Kind,
    window: &ChainWindow,
    judgement: &Judgement,
    now: Timestamp,
) -> Option<Alert> {
    let raised = previous.filter(|alert| is_raised(alert));
    let generation = previous.map_or(0, |alert| alert.generation);
    match (find(kind, judgement), raised) {
        (Finding::Alarm { since }, None) => Some(Alert {
            state: State::Raised.into(),
            since_unix_nano: instant::to_unix_nano(since),
            summary: wording::raised(kind, window, judgement, since),
            next_step: wording::next_step(kind, judgement).into(),
            generation: generation + 1,
            ..blank(kind, window, now)
        }),
        (Finding::Clear, Some(raised)) => Some(Alert {
            state: State::Resolved.into(),
            since_unix_nano: raised.since_unix_nano,
            summary: wording::resolved(kind, window),
            generation,
            ..blank(kind, window, now)
        }),
        (Finding::Alarm { .. }, Some(_)) | (Finding::Clear, None) | (Finding::Unsure, _) => None,
    }
}

/// Whether an alert's last transition leaves it raised.
#[must_use]
pub fn is_raised(last: &Alert) -> bool {
    last.state() == State::Raised
}

fn blank(kind: Kind, window: &ChainWindow, now: Timestamp) -> Alert {
    Alert {
        kind: kind.as_str().into(),
        source: window.chain.source.to_string(),
        source_label: window.source_label.clone(),
        feed: window.chain.feed.to_string(),
        judged_at_unix_nano: instant::to_unix_nano(now),
        ..Alert::default()
    }
}

#[cfg(test)]
mod tests;
