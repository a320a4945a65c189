//! What alerts say to people: one sentence on what is, one on what to do.

use std::fmt::Write;

use jiff::Timestamp;

use super::{Kind, next_step};
use crate::verdict::{ChainWindow, Judgement, Poll, Refusal};

/// What holds since `since`.
pub(super) fn raised(kind: Kind, window: &ChainWindow, judgement: &Judgement, since: Timestamp) -> String {
    let chain = chain(window);
    match (kind, &judgement.poll) {
        (Kind::PollRefused, Poll::Refused(refusal)) => {
            format!("{chain} cannot be read since {since:.0}: {}", cause(refusal))
        }
        (Kind::PollRefused, _) => format!("{chain} cannot be read since {since:.0}."),
        (Kind::PollDead, _) => {
            format!(
                "{chain} is not polled: the last poll was at {:.0}, the next was due at {since:.0}.",
                window.polled_at
            )
        }
        (Kind::DropOff, _) => format!("{chain} is polled without fault, but no event has arrived since {since:.0}."),
    }
}

/// That it is over.
pub(super) fn resolved(kind: Kind, window: &ChainWindow) -> String {
    let chain = chain(window);
    match kind {
        Kind::PollDead => format!("{chain} is polled again."),
        Kind::PollRefused => format!("{chain} can be read again."),
        Kind::DropOff => format!("Events of {chain} arrive again."),
    }
}

/// What the operator does.
pub(super) fn next_step(kind: Kind, judgement: &Judgement) -> &'static str {
    match (kind, &judgement.poll) {
        (Kind::PollRefused, Poll::Refused(refusal)) => next_step::of_refusal(&refusal.reason),
        (Kind::PollRefused, _) => next_step::of_refusal(""),
        (Kind::PollDead, _) => "Check that a fetcher runs and reaches NATS; its log says what stops it.",
        (Kind::DropOff, _) => {
            "Check on 1Password.com under Integrations that the integration still covers this feed, and that people use the \
             account; if such silence is usual, raise the threshold."
        }
    }
}

fn chain(window: &ChainWindow) -> String {
    format!("{} of {}", window.chain.feed, window.source_label)
}

fn cause(refusal: &Refusal) -> String {
    let mut text = refusal.reason.clone();
    if let Some(status) = refusal.http_status {
        // Writing into a String cannot fail.
        let _ = write!(text, ", HTTP {status}");
    }
    if !refusal.detail.is_empty() {
        let _ = write!(text, " ({})", refusal.detail);
    }
    text.push('.');
    text
}
