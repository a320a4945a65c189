//! What is found for alerts that events differ from their schema.
//!
//! Normalizers report what they meet, all on one value per chain, and nobody reports that nothing was met. So drift is over when it has not
//! been seen for a while although events have come and were normalized: of a feed with an event a day, an hour of silence proves nothing, and
//! neither do events that wait for a normalizer.
//!
//! A vendor's change reaches all accounts in the same days. Where many sources differ from the same schema, that is one alert about
//! the log type and none about them. So that the first of them are not told of before the cause is seen, drift has two stages:
//!
//! - **forming**: it began within the last two minutes, or is watched for no longer. It counts for the cause, and is not told of by itself.
//! - **standing**: it has gone on for longer.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    alert::alert::Severity,
    drift::{Change, Drift, change},
};

use super::{Alarm, Finding, wording};
use crate::{instant, normalize::drift::MAX_REPORTED_CHANGES, verdict::ChainWindow};

/// How much later than the events a report of them may come.
const REPORT_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// How long drift forms: as long as other sources may take to be polled, normalized and reported of.
const FORMS_FOR: SignedDuration = SignedDuration::from_mins(2);

/// Sources that differ from the same schema, from which on they are one cause; and how few they must become for it to be none.
const COMMON: (usize, usize) = (4, 2);

/// Changes that a summary names.
const NAMED: usize = 3;

/// The longest path that is kept.
const MAX_PATH_CHARS: usize = 200;

/// What is known of one chain's drift: what the newest report says, so that all who read it say the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifting {
    last: Timestamp,
    /// Since when: of changes that are not over, or of all of it where none is named.
    since: Timestamp,
    /// Changes that are not over, those that matter most first.
    changes: BTreeSet<(Weight, String)>,
    /// The first arrival after the last of it.
    arrived_at: Option<Timestamp>,
}

/// What is judged by, beside what is known of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The time.
    pub now: Timestamp,
    /// Since when without a gap anybody has watched.
    pub watched_since: Timestamp,
    /// Up to when what arrived is normalized; `None` if it is not known.
    pub normalized_until: Option<Timestamp>,
    /// How long drift must not have been seen to be over.
    pub settles_after: SignedDuration,
}

/// How far a chain's drift has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its events differ, since too short a time to say whether it is the chain's own affair.
    Forming,
    /// Its events differ.
    Standing,
    /// Whether they still do cannot be said before a normalizer has done what waits for it.
    Unread,
    /// Whether they still do cannot be said: no others have come.
    Unsure,
    /// They do not any more.
    Over,
}

/// How much a change matters; the heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// Values are of another type: they may be left out, or the event refused.
    Type,
    /// Values are not in their list.
    Value,
    /// There are more fields: nothing is lost, and they are kept unless the operator drops them.
    Field,
}

impl Weight {
    const fn reason(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Value => "value",
            Self::Field => "field",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Type | Self::Value => Severity::Warning,
            Self::Field => Severity::Info,
        }
    }
}

impl Drifting {
    /// What a report says. A change that was not met for `settles_after` by the time of the last is over: what matters follows from the
    /// report alone, and not from when somebody looks at it.
    #[must_use]
    pub fn read(report: &Drift, settles_after: SignedDuration) -> Self {
        let of_all = (report.first_unix_nano, report.last_unix_nano);
        let newest = instant::from_unix_nano(report.last_unix_nano);
        let change = |change: &Change| {
            let weight = match change.kind() {
                change::Kind::Type => Weight::Type,
                change::Kind::Value => Weight::Value,
                change::Kind::Field | change::Kind::Unspecified => Weight::Field,
            };
            // Writers that knew no times of changes meant those of all.
            let (first, last) = match (change.first_unix_nano, change.last_unix_nano) {
                (0, 0) => of_all,
                own => own,
            };
            let lasts = newest.duration_since(instant::from_unix_nano(last)) < settles_after;
            let path = change.path.chars().take(MAX_PATH_CHARS).collect();
            lasts.then_some((first, (weight, path)))
        };
        let changes: Vec<_> = report.changes.iter().take(MAX_REPORTED_CHANGES).filter_map(change).collect();
        let first = changes.iter().map(|(first, _)| *first).min().unwrap_or(of_all.0);
        Self {
            last: newest,
            since: instant::from_unix_nano(first),
            changes: changes.into_iter().map(|(_, change)| change).collect(),
            arrived_at: None,
        }
    }

    /// Events of the chain have arrived.
    pub fn arrived(&mut self, at: Timestamp) {
        if at > self.last {
            self.arrived_at.get_or_insert(at);
        }
    }

    /// The first arrival after the last of it, of those that are known.
    #[must_use]
    pub const fn arrived_at(&self) -> Option<Timestamp> {
        self.arrived_at
    }

    /// How far it has come.
    #[must_use]
    pub fn stage(&self, moment: Moment) -> Stage {
        let Moment { now, watched_since, normalized_until, settles_after } = moment;
        if now.duration_since(self.last) < settles_after {
            let seen_for = now.duration_since(self.since.max(watched_since));
            // Whoever settles sooner waits less too.
            return if seen_for < FORMS_FOR.min(settles_after / 2) { Stage::Forming } else { Stage::Standing };
        }
        // Seen from the moment up to which there is no event that nobody has looked at.
        let Some(until) = normalized_until.map(|until| until.min(now)) else { return Stage::Unread };
        if until.duration_since(self.last) < settles_after {
            return Stage::Unread;
        }
        let reported = |at: Timestamp| until.duration_since(at) >= REPORT_WITHIN.min(settles_after);
        if self.arrived_at.is_some_and(reported) { Stage::Over } else { Stage::Unsure }
    }

    /// What is told of the chain, of which this is the newest window, while its drift stands.
    #[must_use]
    pub fn alarm(&self, window: &ChainWindow) -> Alarm {
        let weight = self.heaviest().map_or(Weight::Field, |(weight, _)| weight);
        let named: Vec<_> = self.changes.iter().take(NAMED).map(|(weight, path)| said(*weight, path)).collect();
        let named = if named.is_empty() { "more than is named".to_owned() } else { named.join(", ") };
        let more = match self.changes.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let who = wording::chain(window);
        alarm(self.since, weight, format!("Events of {who} differ from their schema: {named}{more}."))
    }

    fn heaviest(&self) -> Option<(Weight, &str)> {
        self.changes.first().map(|(weight, path)| (*weight, path.as_str()))
    }
}

/// What is found for a log type: of the sources that differ at this moment, while of `unknown` more it cannot be said. `raised`: its alert is.
#[must_use]
pub fn find_common(log_type: &str, differ: &[&Drifting], unknown: usize, raised: bool) -> Finding {
    let (enter, exit) = COMMON;
    let least = if raised { exit } else { enter };
    let Some(since) = differ.iter().map(|drifting| drifting.since).min().filter(|_| differ.len() >= least) else {
        return if raised && differ.len() + unknown >= exit { Finding::Unsure } else { Finding::Clear };
    };
    let heaviest = differ.iter().filter_map(|drifting| drifting.heaviest()).min();
    let such = heaviest.map_or_else(String::new, |(weight, path)| format!(", such as by {}", said(weight, path)));
    let weight = heaviest.map_or(Weight::Field, |(weight, _)| weight);
    let summary = format!("{log_type} of {} sources differs from its schema{such}.", differ.len());
    Finding::Alarm(alarm(since, weight, summary))
}

fn said(weight: Weight, path: &str) -> String {
    match weight {
        Weight::Type => format!("another type of {path}"),
        Weight::Value => format!("new values of {path}"),
        Weight::Field => format!("the new field {path}"),
    }
}

fn alarm(since: Timestamp, weight: Weight, summary: String) -> Alarm {
    Alarm {
        since,
        severity: weight.severity(),
        reason: weight.reason().into(),
        summary,
        next_step:
            "Feed some of the events to `latchkey schema drift`, which proposes a patch, and put the changed file into \
                    normalizer.schemas."
                .into(),
    }
}

#[cfg(test)]
mod tests;
