//! What a chain's and a source's verdicts mean for each kind of alert about them.
//!
//! A common cause is told of once: while one forms or stands, chains that fail for it are neither raised nor resolved, and feeds of a
//! source that is silent as a whole are not told of one by one.

use std::fmt::Display;

use jiff::Timestamp;
use latchkey_contracts::alert::alert::Severity;

use super::{Alarm, Finding, Kind, next_step, wording};
use crate::{
    polling::TokenFault,
    verdict::{
        ChainWindow, DropOff, Judgement, Poll,
        outage::{self, Stage},
        rejections::Refused,
        risk::{Clock, Risk, risk, unusable_token},
    },
};

/// The kinds that are about one chain, and follow from its window.
pub const KINDS: [Kind; 4] = [Kind::PollDead, Kind::PollRefused, Kind::DropOff, Kind::DataAtRisk];

/// Why data are at risk although no clock runs out yet: a newer token cannot be used.
pub(super) const TOKEN_UNUSABLE: &str = "token_unusable";

/// What of a chain is told of elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// How far a common cause of refusals has come.
    pub refusals: Stage,
    /// How far a common cause of deaths has come.
    pub deaths: Stage,
    /// Whether the source is silent as a whole.
    pub silence: bool,
}

impl Shared {
    /// Nothing.
    pub const NOTHING: Self = Self { refusals: Stage::None, deaths: Stage::None, silence: false };
}

/// What is found for the chain's alert of `kind`, one of [`KINDS`]; of others nothing can be said.
#[must_use]
pub fn find(kind: Kind, window: &ChainWindow, judgement: &Judgement, shared: Shared, now: Timestamp) -> Finding {
    match kind {
        Kind::PollDead => dead(window, &judgement.poll, shared),
        Kind::PollRefused => refused(window, &judgement.poll, shared),
        Kind::DropOff => drop_off(window, judgement, shared),
        Kind::DataAtRisk => at_risk(window, now),
        _ => Finding::Unsure,
    }
}

/// What is found for the alert that a source is silent as a whole.
#[must_use]
pub fn find_source(label: &str, verdict: DropOff) -> Finding {
    silent(verdict, Kind::SourceDropOff, label)
}

/// What is found for the alert that a feed's events are refused.
#[must_use]
pub fn find_rejections(window: &ChainWindow, refused: &Refused<'_>) -> Finding {
    let chain = wording::chain(window);
    let (since, reason, severity, summary) = match refused {
        Refused::None => return Finding::Clear,
        Refused::Few => return Finding::Unsure,
        Refused::Many { since, items, fault } => (
            *since,
            "items",
            Severity::Warning,
            format!("{items} items of {chain} were refused in the last hour, the newest for {fault}."),
        ),
        Refused::Pages { since, pages, fault } => (
            *since,
            "page",
            Severity::Critical,
            format!("{pages} pages of {chain} could not be read in the last hour, the newest for {fault}."),
        ),
    };
    let next_step = "See the batches in stream REJECTIONS, which keeps them for 30 days, and correct the schema.";
    Finding::Alarm(Alarm { since, severity, reason: reason.into(), summary, next_step: next_step.into() })
}

fn dead(window: &ChainWindow, poll: &Poll, shared: Shared) -> Finding {
    match poll {
        Poll::Dead { since } if shared.deaths == Stage::None => Finding::Alarm(Alarm {
            since: *since,
            severity: Kind::PollDead.severity(),
            reason: "".into(),
            summary: format!(
                "{} is not polled: the last poll was at {:.0}, the next was due at {since:.0}.",
                wording::chain(window),
                window.polled_at
            ),
            next_step: "Check that a fetcher runs and reaches NATS; its log says what stops it.".into(),
        }),
        Poll::Dead { .. } | Poll::Unknown => Finding::Unsure,
        // A failed poll proves that somebody polls.
        Poll::Refused(_) | Poll::Off | Poll::Quiet | Poll::Active => Finding::Clear,
    }
}

fn refused(window: &ChainWindow, poll: &Poll, shared: Shared) -> Finding {
    match poll {
        Poll::Refused(refusal) if refusal.lasting => {
            let common = outage::is_common(&refusal.reason);
            if common && shared.refusals != Stage::None {
                return Finding::Unsure;
            }
            Finding::Alarm(Alarm {
                since: refusal.since,
                // What does not pass by itself waits for somebody.
                severity: if common { Severity::Warning } else { Severity::Critical },
                reason: refusal.reason.clone().into(),
                summary: format!(
                    "{} cannot be read since {:.0}: {}",
                    wording::chain(window),
                    refusal.since,
                    wording::cause(refusal)
                ),
                next_step: next_step::of_refusal(&refusal.reason).into(),
            })
        }
        Poll::Unknown | Poll::Dead { .. } | Poll::Refused(_) => Finding::Unsure,
        Poll::Off | Poll::Quiet | Poll::Active => Finding::Clear,
    }
}

fn drop_off(window: &ChainWindow, judgement: &Judgement, shared: Shared) -> Finding {
    if judgement.drop_off.is_alarm() && shared.silence {
        return Finding::Unsure;
    }
    match silent(judgement.drop_off, Kind::DropOff, wording::chain(window)) {
        // Nobody waits for events of a feed that is off.
        Finding::Unsure if judgement.poll == Poll::Off => Finding::Clear,
        finding => finding,
    }
}

fn silent(verdict: DropOff, kind: Kind, who: impl Display) -> Finding {
    let (since, reason, summary) = match verdict {
        DropOff::Ok => return Finding::Clear,
        DropOff::InsufficientData => return Finding::Unsure,
        DropOff::Alarm { since } => {
            (since, "", format!("{who} is polled without fault, but no event has arrived since {since:.0}."))
        }
        DropOff::Unusual { since, expected } => (
            since,
            "unusual",
            format!(
                "{who} is polled without fault, but no event has arrived since {since:.0}: by its habits, events would have come in \
                 {expected} five-minute spans since."
            ),
        ),
        DropOff::NeverBegan { since } => (
            since,
            "never_began",
            format!("{who} is polled without fault since {since:.0}, but no event has ever arrived."),
        ),
    };
    let next_step = "Check on 1Password.com under Integrations that the integration still covers this feed, and that people use the \
                     account; if such silence is usual, raise the threshold or set business hours.";
    Finding::Alarm(Alarm {
        since,
        severity: kind.severity(),
        reason: reason.into(),
        summary,
        next_step: next_step.into(),
    })
}

fn at_risk(window: &ChainWindow, now: Timestamp) -> Finding {
    let (clock, fault) = (risk(window, now), unusable_token(window, now));
    let running_out = clock.and_then(|risk| Some((risk, risk.severity?)));
    match (running_out, fault) {
        (Some((risk, severity)), fault) => Finding::Alarm(runs_out(window, risk, severity, fault, now)),
        (None, Some((fault, true))) => Finding::Alarm(Alarm {
            since: fault.since,
            severity: Kind::DataAtRisk.severity(),
            reason: TOKEN_UNUSABLE.into(),
            summary: format!(
                "The newest token of {} cannot be used since {:.0}, and the one before is still in use: {}.",
                wording::chain(window),
                fault.since,
                fault.reason
            ),
            next_step: "Replace the token by one that can be used before the old one ends; see `latchkey source list`."
                .into(),
        }),
        (None, Some((_, false))) => Finding::Unsure,
        (None, None) if clock.is_none() => Finding::Unsure,
        (None, None) => Finding::Clear,
    }
}

fn runs_out(
    window: &ChainWindow,
    risk: Risk,
    severity: Severity,
    fault: Option<(&TokenFault, bool)>,
    now: Timestamp,
) -> Alarm {
    let (chain, at, left) = (wording::chain(window), risk.at, wording::left(risk.at.duration_since(now)));
    let over = risk.at <= now;
    let (mut summary, next_step) = match risk.clock {
        Clock::Token if over => (
            format!("The token of {chain} has ended at {at:.0}."),
            "Issue a new token on 1Password.com under Integrations and replace the token file; nothing is lost for 120 days.",
        ),
        Clock::Token => (
            format!("The token of {chain} ends at {at:.0}, in {left}."),
            "Issue a new token on 1Password.com under Integrations and replace the token file; it is read again by itself.",
        ),
        Clock::Retention if over => (
            format!("{chain} is so far behind that 1Password has deleted what may be unread since {at:.0}."),
            "Let the feed catch up, then compare with 1Password's own reports for the time that is missing.",
        ),
        Clock::Retention => (
            format!(
                "{chain} is so far behind that 1Password begins to delete what may be unread in {left}, at {at:.0}."
            ),
            "Find out what keeps the feed from catching up: refusals, the hourly budget, or streams that are full.",
        ),
    };
    if let Some((fault, _)) = fault {
        // Whoever has replaced the token wonders why this is still so.
        summary = format!("{summary} A newer token cannot be used: {}.", fault.reason);
    }
    Alarm { since: risk.warned_at, severity, reason: risk.clock.as_str().into(), summary, next_step: next_step.into() }
}

#[cfg(test)]
mod tests;
