//! What is found for alerts that events differ from their schema.
//!
//! Normalizers report what they meet, each for itself, and nobody reports that nothing was met. So drift is over when it has not been
//! seen for a while although events have come: of a feed with an event a day, an hour of silence proves nothing.
//!
//! A vendor's change reaches all accounts in the same days. Where many sources differ from the same schema, that is one alert about
//! the log type and none about them.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    alert::alert::Severity,
    drift::{Drift, change},
};

use super::{Alarm, Finding, wording};
use crate::{instant, normalize::drift::MAX_REPORTED_CHANGES, verdict::ChainWindow};

/// How much later than the events a report of them may come.
const REPORT_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// Sources that differ from the same schema, from which on they are one cause; and how few they must become for it to be none.
const COMMON: (usize, usize) = (4, 2);

/// Changes that a summary names.
const NAMED: usize = 3;

/// The longest path that is kept.
const MAX_PATH_CHARS: usize = 200;

/// The most changes of one chain that are kept, of several normalizers together.
const MAX_CHANGES: usize = 2 * MAX_REPORTED_CHANGES;

/// What is known of one chain's drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drifting {
    since: Timestamp,
    last: Timestamp,
    /// The first arrival after the last of it.
    arrived_at: Option<Timestamp>,
    /// When each change was last met, by how much it matters, kind and path.
    changes: BTreeMap<(Weight, String), Timestamp>,
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
    /// What the first report says.
    #[must_use]
    pub fn new(report: &Drift) -> Self {
        let since = instant::from_unix_nano(report.first_unix_nano);
        let mut drifting = Self { since, last: since, arrived_at: None, changes: BTreeMap::new() };
        drifting.add(report);
        drifting
    }

    /// Takes in a report.
    pub fn add(&mut self, report: &Drift) {
        let at = instant::from_unix_nano(report.last_unix_nano);
        if self.changes.is_empty() {
            self.since = instant::from_unix_nano(report.first_unix_nano);
        }
        self.last = self.last.max(at);
        self.arrived_at = self.arrived_at.filter(|arrived| *arrived > at);
        for change in &report.changes {
            let weight = match change.kind() {
                change::Kind::Type => Weight::Type,
                change::Kind::Value => Weight::Value,
                change::Kind::Field | change::Kind::Unspecified => Weight::Field,
            };
            let key = (weight, change.path.chars().take(MAX_PATH_CHARS).collect());
            if self.changes.len() < MAX_CHANGES || self.changes.contains_key(&key) {
                self.changes.insert(key, at);
            }
        }
    }

    /// Events of the chain have arrived.
    pub fn arrived(&mut self, at: Timestamp) {
        if at > self.last {
            self.arrived_at.get_or_insert(at);
        }
    }

    /// Forgets what was not met for `settles_after`.
    pub fn forget(&mut self, settles_after: SignedDuration, now: Timestamp) {
        self.changes.retain(|_, at| now.duration_since(*at) < settles_after);
    }

    /// What is found for the chain: its newest window, and how long drift must not have been seen to be over.
    #[must_use]
    pub fn find(&self, window: &ChainWindow, settles_after: SignedDuration, now: Timestamp) -> Finding {
        if now.duration_since(self.last) < settles_after {
            return self.alarm(&wording::chain(window));
        }
        let reported = |at: Timestamp| now.duration_since(at) >= REPORT_WITHIN.min(settles_after);
        if self.arrived_at.is_some_and(reported) { Finding::Clear } else { Finding::Unsure }
    }

    fn alarm(&self, who: &str) -> Finding {
        let weight = self.changes.keys().next().map_or(Weight::Field, |(weight, _)| *weight);
        let named: Vec<_> = self.changes.keys().take(NAMED).map(|(weight, path)| said(*weight, path)).collect();
        let more = match self.changes.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        alarm(self.since, weight, format!("Events of {who} differ from their schema: {}{more}.", named.join(", ")))
    }
}

/// What is found for a log type: of so many sources that drift at this moment, the first since `since`. `raised`: its alert is.
#[must_use]
pub fn find_common(log_type: &str, chains: &[&Drifting], raised: bool) -> Finding {
    let (enter, exit) = COMMON;
    let since = chains.iter().map(|drifting| drifting.since).min();
    let heaviest = chains.iter().filter_map(|drifting| drifting.changes.keys().next()).min();
    match (since, heaviest) {
        (Some(since), Some((weight, path))) if chains.len() >= if raised { exit } else { enter } => {
            let (count, change) = (chains.len(), said(*weight, path));
            let summary = format!("{log_type} of {count} sources differs from its schema, such as by {change}.");
            alarm(since, *weight, summary)
        }
        _ => Finding::Clear,
    }
}

fn said(weight: Weight, path: &str) -> String {
    match weight {
        Weight::Type => format!("another type of {path}"),
        Weight::Value => format!("new values of {path}"),
        Weight::Field => format!("the new field {path}"),
    }
}

fn alarm(since: Timestamp, weight: Weight, summary: String) -> Finding {
    Finding::Alarm(Alarm {
        since,
        severity: weight.severity(),
        reason: weight.reason().into(),
        summary,
        next_step:
            "Feed some of the events to `latchkey schema drift`, which proposes a patch, and put the changed file into \
                    normalizer.schemas."
                .into(),
    })
}

#[cfg(test)]
mod tests {
    use latchkey_contracts::drift::Change;

    use super::*;
    use crate::verdict::samples::{at, window};

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn report(second: i64, changes: &[(change::Kind, &str)]) -> Drift {
        let change = |(kind, path): &(change::Kind, &str)| Change {
            kind: (*kind).into(),
            path: (*path).into(),
            ..Change::default()
        };
        Drift {
            first_unix_nano: instant::to_unix_nano(at(second)),
            last_unix_nano: instant::to_unix_nano(at(second)),
            changes: changes.iter().map(change).collect(),
            ..Drift::default()
        }
    }

    fn alarm_of(finding: Finding) -> Alarm {
        match finding {
            Finding::Alarm(alarm) => alarm,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_heaviest_change_says_how_much_it_matters() {
        let mut drifting = Drifting::new(&report(0, &[(change::Kind::Field, "$.zone")]));
        let alarm = alarm_of(drifting.find(&window(), HOUR, at(10)));
        assert_eq!((alarm.severity, alarm.reason.as_ref()), (Severity::Info, "field"));
        assert_eq!(alarm.summary, "Events of item_usages of Acme differ from their schema: the new field $.zone.");
        let more = [
            (change::Kind::Value, "$.action"),
            (change::Kind::Type, "$.count"),
            (change::Kind::Field, "$.a"),
            (change::Kind::Field, "$.b"),
        ];
        drifting.add(&report(60, &more));
        let alarm = alarm_of(drifting.find(&window(), HOUR, at(70)));
        assert_eq!((alarm.severity, alarm.reason.as_ref(), alarm.since), (Severity::Warning, "type", at(0)));
        let changes = "another type of $.count, new values of $.action, the new field $.a and 2 more.";
        assert!(alarm.summary.ends_with(changes), "{}", alarm.summary);
        // What is not met any more is forgotten, and matters no longer.
        drifting.add(&report(3_620, &[(change::Kind::Field, "$.a")]));
        drifting.forget(HOUR, at(3_661));
        assert_eq!(alarm_of(drifting.find(&window(), HOUR, at(3_661))).reason, "field");
    }

    #[test]
    fn it_is_over_when_events_have_come_without_it() {
        let find = |arrivals: &[i64], now| {
            let mut drifting = Drifting::new(&report(0, &[(change::Kind::Field, "$.zone")]));
            for second in arrivals {
                drifting.arrived(at(*second));
            }
            drifting.find(&window(), HOUR, at(now))
        };
        assert!(matches!(find(&[3_000], 3_599), Finding::Alarm(_)));
        assert_eq!(find(&[3_000], 3_600), Finding::Clear);
        // Nothing has come since, or so lately that its report may be on its way.
        assert_eq!(find(&[], 3_600), Finding::Unsure);
        assert_eq!(find(&[0], 90_000), Finding::Unsure);
        assert_eq!(find(&[3_500], 3_600), Finding::Unsure);
        assert_eq!(find(&[3_500, 3_600, 3_619], 3_620), Finding::Clear);
        // A report of what has come is no proof of what has not.
        let mut drifting = Drifting::new(&report(0, &[]));
        drifting.arrived(at(50));
        drifting.add(&report(60, &[]));
        assert_eq!(drifting.find(&window(), HOUR, at(90_000)), Finding::Unsure);
    }

    #[test]
    fn many_sources_are_one_cause() {
        let drifting: Vec<_> =
            (0..4).map(|second| Drifting::new(&report(second, &[(change::Kind::Field, "$.zone")]))).collect();
        let find = |count: usize, raised| {
            let chains: Vec<_> = drifting.iter().take(count).collect();
            find_common("OnePassword.ItemUsage", &chains, raised)
        };
        assert_eq!(find(0, true), Finding::Clear);
        assert_eq!(find(3, false), Finding::Clear);
        assert_eq!(find(1, true), Finding::Clear);
        assert!(matches!(find(2, true), Finding::Alarm(_)));
        let alarm = alarm_of(find(4, false));
        assert_eq!(alarm.since, at(0));
        let summary = "OnePassword.ItemUsage of 4 sources differs from its schema, such as by the new field $.zone.";
        assert_eq!(alarm.summary, summary);
    }
}
