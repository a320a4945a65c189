//! The life of an alert: raised once, told at the right times, resolved once.
//!
//! What follows from a finding is decided against the alert's last transition, so any number of alerters, started at any time,
//! decide the same; the stream lets only one of them write it down. The states, with what leads in and out:
//!
//! - **resting**: never raised, or resolved. An alarm leads to *steady*, or to *flapping* if it is the third raise within an hour.
//! - **steady**: raised. A clear finding resolves it at once.
//! - **flapping**: raised. Only half an hour of clear findings without a break resolves it, so that a condition which comes and goes
//!   is one alert and not twenty.
//!
//! A finding that cannot be made changes nothing: what is raised stays so until somebody *knows* better. What another alert tells of, and
//! what is about something that is not there any more, leads to *resting* at once, with words that say so.
//!
//! People are told of a raise, of a worse severity or another cause, of what is still so after each reminder interval unless
//! somebody has acknowledged it, and of the end if they were told of the beginning. Under a silence or in a maintenance window the
//! transitions are written all the same, muted; when it ends and the condition still holds, people are told.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::{
    About,
    alert::{
        Alert,
        alert::{Change, Severity, State},
    },
};

use super::{Kind, wording};
use crate::instant;

/// Raises within [`FLAPPING_WITHIN`] that make an alert a flapping one.
const FLAPS: usize = 3;

/// The span in which raises are counted.
const FLAPPING_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// How long a flapping alert's condition must be gone before it is resolved.
pub const CALM: SignedDuration = SignedDuration::from_mins(30);

/// Beginnings of lives that an alert remembers.
const REMEMBERED_RAISES: usize = FLAPS + 1;

/// How long a change of cause alone waits after the transition before it. A worse severity does not wait.
const UPDATE_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// What is found for one alert at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The condition holds.
    Alarm(Alarm),
    /// It does not.
    Clear,
    /// Cannot be said.
    Unsure,
    /// It holds, and another alert tells of it.
    Covered,
    /// What the alert is about is not there any more: nothing can be wrong with it.
    Gone,
}

/// A condition that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Since when.
    pub since: Timestamp,
    /// How much it matters.
    pub severity: Severity,
    /// A stable word for the cause; empty where the kind has only one.
    pub reason: Cow<'static, str>,
    /// What is, in one sentence.
    pub summary: String,
    /// What to do about it.
    pub next_step: Cow<'static, str>,
}

/// What beside the finding decides.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// What the alert is about.
    pub about: &'a About,
    /// What the operator calls its source, or the name of its object; empty for the whole line.
    pub label: &'a str,
    /// Whether a silence or a maintenance window covers it.
    pub muted: bool,
    /// Since when findings have been clear without a break, as far as the caller has seen.
    pub clear_since: Option<Timestamp>,
    /// After how long people are told again; `None` for never.
    pub remind_every: Option<SignedDuration>,
    /// The time.
    pub now: Timestamp,
}

/// The transition that follows from `finding` after `previous`, the alert's last one; `None` if the alert stays as it is.
#[must_use]
pub fn next(previous: Option<&Alert>, kind: Kind, finding: &Finding, around: &Circumstances<'_>) -> Option<Alert> {
    match (finding, previous.filter(|alert| is_raised(alert))) {
        (Finding::Alarm(alarm), None) => Some(raise(previous, kind, alarm, around)),
        (Finding::Alarm(alarm), Some(raised)) => update(raised, alarm, around).or_else(|| remind(raised, around)),
        (Finding::Clear, Some(raised)) if is_over(raised, around) => {
            Some(resolve(raised, wording::resolved(kind, around.about, around.label), around))
        }
        (Finding::Covered, Some(raised)) => Some(resolve(raised, wording::covered(around.about, around.label), around)),
        (Finding::Gone, Some(raised)) => Some(resolve(raised, wording::gone(around.about, around.label), around)),
        // What is calm and only waits for the end of its flapping is nothing to be reminded of.
        (Finding::Clear, _) | (Finding::Unsure | Finding::Covered | Finding::Gone, None) => None,
        (Finding::Unsure, Some(raised)) => remind(raised, around),
    }
}

/// Whether an alert's last transition leaves it raised.
#[must_use]
pub fn is_raised(last: &Alert) -> bool {
    last.state() == State::Raised
}

/// Somebody takes the alert on: no more reminders in this life. `None` if it is not raised.
#[must_use]
pub fn acknowledge(last: &Alert, by: &str, note: &str, now: Timestamp) -> Option<Alert> {
    is_raised(last).then(|| Alert {
        change: Change::Acknowledged.into(),
        judged_at_unix_nano: instant::to_unix_nano(now),
        muted: false,
        told_at_unix_nano: instant::to_unix_nano(now),
        acknowledged_by: by.into(),
        acknowledged_at_unix_nano: instant::to_unix_nano(now),
        note: note.into(),
        ..last.clone()
    })
}

fn raise(previous: Option<&Alert>, kind: Kind, alarm: &Alarm, around: &Circumstances<'_>) -> Alert {
    let now = instant::to_unix_nano(around.now);
    let mut raises = previous.map_or_else(Vec::new, |alert| alert.raises_unix_nano.clone());
    raises.push(now);
    raises.drain(..raises.len().saturating_sub(REMEMBERED_RAISES));
    let recent = raises.iter().filter(|at| around.now.duration_since(instant::from_unix_nano(**at)) <= FLAPPING_WITHIN);
    let flapping = recent.count() >= FLAPS;
    let alert = Alert {
        kind: kind.as_str().into(),
        code: kind.code().into(),
        source: around.about.source().into(),
        source_label: if around.about.source().is_empty() { String::new() } else { around.label.into() },
        feed: around.about.feed().into(),
        object: around.about.object().into(),
        state: State::Raised.into(),
        since_unix_nano: instant::to_unix_nano(alarm.since),
        generation: previous.map_or(0, |alert| alert.generation) + 1,
        raises_unix_nano: raises,
        flapping,
        ..Alert::default()
    };
    said(alert, Change::Raised, alarm, around)
}

fn update(raised: &Alert, alarm: &Alarm, around: &Circumstances<'_>) -> Option<Alert> {
    let worse = alarm.severity > raised.severity();
    let other = alarm.severity != raised.severity() || alarm.reason != raised.reason;
    let judged_at = instant::from_unix_nano(raised.judged_at_unix_nano);
    let due = other && around.now.duration_since(judged_at) >= UPDATE_AFTER;
    if !worse && !due {
        return None;
    }
    let mut alert = raised.clone();
    if worse {
        // Whoever took it on took on something less.
        alert.acknowledged_by.clear();
        alert.acknowledged_at_unix_nano = 0;
        alert.note.clear();
    }
    Some(said(alert, Change::Updated, alarm, around))
}

fn said(alert: Alert, change: Change, alarm: &Alarm, around: &Circumstances<'_>) -> Alert {
    let alert = Alert {
        severity: alarm.severity.into(),
        reason: alarm.reason.clone().into_owned(),
        summary: alarm.summary.clone(),
        next_step: alarm.next_step.clone().into_owned(),
        ..alert
    };
    told(alert, change, around.muted, around.now)
}

fn told(alert: Alert, change: Change, muted: bool, now: Timestamp) -> Alert {
    let now = instant::to_unix_nano(now);
    let mut told_severities = alert.told_severities.clone();
    if !muted && !told_severities.contains(&alert.severity) {
        told_severities.push(alert.severity);
        told_severities.sort_unstable();
    }
    Alert {
        told_severities,
        change: change.into(),
        judged_at_unix_nano: now,
        muted,
        told_at_unix_nano: if muted { alert.told_at_unix_nano } else { now },
        ..alert
    }
}

fn remind(raised: &Alert, around: &Circumstances<'_>) -> Option<Alert> {
    let due = match instant::optional_from_unix_nano(told_at(raised)) {
        _ if around.muted || !raised.acknowledged_by.is_empty() => false,
        // Nobody was told, and what kept it from them has ended.
        None => true,
        Some(told_at) => around.remind_every.is_some_and(|every| around.now.duration_since(told_at) >= every),
    };
    due.then(|| told(raised.clone(), Change::Reminded, false, around.now))
}

/// Writers that knew no muting told of everything.
fn told_at(raised: &Alert) -> i64 {
    if raised.change() == Change::Unspecified { raised.judged_at_unix_nano } else { raised.told_at_unix_nano }
}

fn is_over(raised: &Alert, around: &Circumstances<'_>) -> bool {
    !raised.flapping || around.clear_since.is_some_and(|since| around.now.duration_since(since) >= CALM)
}

fn resolve(raised: &Alert, summary: String, around: &Circumstances<'_>) -> Alert {
    let nobody_knows = told_at(raised) == 0;
    let alert = Alert {
        state: State::Resolved.into(),
        summary,
        next_step: String::new(),
        acknowledged_by: String::new(),
        acknowledged_at_unix_nano: 0,
        note: String::new(),
        ..raised.clone()
    };
    Alert { told_at_unix_nano: 0, ..told(alert, Change::Resolved, nobody_knows, around.now) }
}

#[cfg(test)]
mod tests;
