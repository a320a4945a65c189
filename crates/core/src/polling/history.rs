//! What is known of a chain's past.
//!
//! Everything here lives in the chain's checkpoint; what a page adds to it stands in the page too, so that a page whose checkpoint was
//! never written counts all the same.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::checkpoint::{self, Checkpoint, outcome::Kind};

use super::{Fetched, LastPage, Outcome, recovery};
use crate::{audit::Span, instant};

/// After so long an audit can no longer tell what was passed by: the pages to compare with are kept no longer.
const JUDGED_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is known of a chain's past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The first turn's end.
    pub first_polled_at: Option<Timestamp>,
    /// From which time on the chain was asked for when it began.
    pub began_from: Option<Timestamp>,
    /// The newest answer that was a page.
    pub last_success_at: Option<Timestamp>,
    /// When a page last brought a new event.
    pub last_arrival_at: Option<Timestamp>,
    /// Turns since the last that stored a page or reached the feed's end.
    pub consecutive_failures: u32,
    /// New events stored in all.
    pub events_total: u64,
    /// Event time of the newest event stored. Events that were still to happen when their page was fetched do not count. It shows where
    /// the chain is, and proves nothing: a device's clock may be ahead.
    pub newest_event_at: Option<Timestamp>,
    /// When the chain last stood at the feed's end: whatever had arrived by then is stored.
    pub caught_up_at: Option<Timestamp>,
    /// How often the chain was read again from a point in time.
    pub recoveries: u32,
    /// The newest of these recoveries.
    pub last_recovery: Option<Recovery>,
    /// What recoveries have passed by, as the feed is asked: an audit is to read it.
    pub passed_by: Option<Span>,
    /// When the newest recovery was that passed something by.
    pub passed_by_at: Option<Timestamp>,
    /// What was passed by so long ago that the turn's recovery has given it up for what it passes by itself. No checkpoint says it.
    pub given_up: Option<Span>,
    /// Events per page that the cursor carries: what was asked for where it began.
    pub page_limit: Option<NonZeroU32>,
    /// Turns in a row in which the API refused the cursor.
    pub cursor_refusals: u32,
    /// Why there is no answer, if every turn since some time has ended alike.
    pub refusal: Option<Refusal>,
}

/// A chain was read again from a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// When.
    pub at: Timestamp,
    /// From which event time on.
    pub from: Timestamp,
    /// A stable word.
    pub reason: String,
}

/// A series of turns that ended with the same word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The word.
    pub reason: String,
    /// When the first of them ended.
    pub since: Timestamp,
}

impl History {
    /// The time before which polling never asked for anything: what is set by now says so only of a chain that has not begun.
    #[must_use]
    pub fn start(&self, set: Timestamp) -> Timestamp {
        self.began_from.unwrap_or(set)
    }

    /// No event stored happened later, but for those that claimed to be from the future; `None`: nothing was ever stored.
    pub(super) fn reached(&self) -> Option<Timestamp> {
        self.newest_event_at.or(self.last_success_at.filter(|_| self.events_total > 0))
    }

    pub(super) fn answered(&mut self, now: Timestamp) {
        self.last_success_at = Some(now);
    }

    /// An answer alone ends no series of failures: a page that cannot be stored would be asked for again and again without a pause.
    pub(super) fn progressed(&mut self) {
        self.consecutive_failures = 0;
    }

    pub(super) fn stored(&mut self, page: &Fetched, now: Timestamp) {
        self.events_total += u64::from(page.new_items);
        self.newest_event_at = self.newest_event_at.max(page.newest_event_at);
        if page.new_items > 0 {
            self.last_arrival_at = Some(now);
        }
    }

    pub(super) fn recovered(&mut self, recovery: Recovery, passed_by: Option<Span>) {
        self.recoveries = self.recoveries.saturating_add(1);
        self.pass_by(recovery, passed_by);
    }

    /// What an earlier recovery has passed by may not have been read yet. One that passes nothing by changes nothing of it: what was read is
    /// told by when it was passed by.
    fn pass_by(&mut self, recovery: Recovery, passed_by: Option<Span>) {
        if let Some(span) = passed_by {
            let (kept, given_up) = match self.passed_by {
                Some(before) if self.awaits_an_audit(recovery.at) => (before.joined(span), None),
                before => (span, before.filter(|before| span.joined(*before) != span)),
            };
            (self.passed_by, self.passed_by_at, self.given_up) = (Some(kept), Some(recovery.at), given_up);
        }
        self.last_recovery = Some(recovery);
    }

    /// Whether what was passed by may be unread, and could be judged. No audit reads it before the chain has caught up.
    fn awaits_an_audit(&self, now: Timestamp) -> bool {
        let Some(at) = self.passed_by_at else { return true };
        now.duration_since(at) < JUDGED_FOR || self.caught_up_at < Some(at)
    }

    /// How long every turn has ended with this word.
    pub(super) fn refused_for(&self, reason: &str, now: Timestamp) -> SignedDuration {
        let refusal = self.refusal.as_ref().filter(|refusal| refusal.reason == reason);
        refusal.map_or(SignedDuration::ZERO, |refusal| now.duration_since(refusal.since))
    }

    pub(super) fn failed(&mut self) {
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
    }

    pub(super) fn polled(&mut self, outcome: &Outcome, now: Timestamp) {
        self.first_polled_at.get_or_insert(now);
        let before = self.refusal.take();
        self.refusal = outcome.reason().map(|reason| match before {
            Some(refusal) if refusal.reason == reason => refusal,
            _ => Refusal { reason: reason.into(), since: now },
        });
    }

    /// Of what was stored when the chain stood at the feed's end, something is lost.
    pub(super) fn not_caught_up(mut self) -> Self {
        self.caught_up_at = None;
        self
    }

    /// Catches up with a page that was stored after the checkpoint this history came from.
    pub(super) fn with_page(mut self, page: &LastPage) -> Self {
        self.last_success_at = self.last_success_at.max(Some(page.fetched_at));
        self.events_total = page.events_total;
        if page.has_news {
            self.last_arrival_at = self.last_arrival_at.max(Some(page.fetched_at));
        }
        self.newest_event_at = self.newest_event_at.max(page.newest_event_at);
        // The refusals were of an older cursor.
        self.cursor_refusals = 0;
        if page.recoveries > self.recoveries {
            self.recoveries = page.recoveries;
            // Why is known to the turn that died before its checkpoint; that it happened must not be forgotten, nor what it may have
            // passed by.
            let from = page.recovering_from.unwrap_or(page.fetched_at);
            let start = self.began_from.unwrap_or(Timestamp::UNIX_EPOCH);
            // It began at a time that a stored event says, or before it asked.
            let began_by = page.recovering_from.or(page.latest_event_at).max(Some(page.fetched_at));
            let passed_by = recovery::passed_by(&self, start, began_by.unwrap_or(page.fetched_at));
            self.pass_by(Recovery { at: page.fetched_at, from, reason: "unknown".into() }, passed_by);
        }
        self
    }

    pub(super) fn write(&self, checkpoint: &mut Checkpoint) {
        checkpoint.first_polled_at_unix_nano = instant::optional_to_unix_nano(self.first_polled_at);
        checkpoint.began_from_unix_nano = instant::optional_to_unix_nano(self.began_from);
        checkpoint.last_success_at_unix_nano = instant::optional_to_unix_nano(self.last_success_at);
        checkpoint.last_arrival_at_unix_nano = instant::optional_to_unix_nano(self.last_arrival_at);
        checkpoint.consecutive_failures = self.consecutive_failures;
        checkpoint.events_total = self.events_total;
        checkpoint.cursor_time_unix_nano = instant::optional_to_unix_nano(self.newest_event_at);
        checkpoint.caught_up_at_unix_nano = instant::optional_to_unix_nano(self.caught_up_at);
        checkpoint.recoveries = self.recoveries;
        checkpoint.last_recovery = self.last_recovery.as_ref().map(|recovery| checkpoint::Recovery {
            at_unix_nano: instant::to_unix_nano(recovery.at),
            from_unix_nano: instant::to_unix_nano(recovery.from),
            reason: recovery.reason.clone(),
        });
        checkpoint.passed_by_from_unix_nano = self.passed_by.map_or(0, |span| instant::to_unix_nano(span.from));
        checkpoint.passed_by_to_unix_nano = self.passed_by.map_or(0, |span| instant::to_unix_nano(span.to));
        checkpoint.passed_by_at_unix_nano = instant::optional_to_unix_nano(self.passed_by_at);
        checkpoint.page_limit = self.page_limit.map_or(0, NonZeroU32::get);
        checkpoint.cursor_refusals = self.cursor_refusals;
        checkpoint.refused_since_unix_nano =
            instant::optional_to_unix_nano(self.refusal.as_ref().map(|refusal| refusal.since));
    }

    pub(super) fn read(checkpoint: &Checkpoint) -> Self {
        Self {
            first_polled_at: instant::optional_from_unix_nano(checkpoint.first_polled_at_unix_nano),
            began_from: instant::optional_from_unix_nano(checkpoint.began_from_unix_nano),
            last_success_at: instant::optional_from_unix_nano(checkpoint.last_success_at_unix_nano),
            last_arrival_at: instant::optional_from_unix_nano(checkpoint.last_arrival_at_unix_nano),
            consecutive_failures: checkpoint.consecutive_failures,
            events_total: checkpoint.events_total,
            newest_event_at: instant::optional_from_unix_nano(checkpoint.cursor_time_unix_nano),
            caught_up_at: instant::optional_from_unix_nano(checkpoint.caught_up_at_unix_nano),
            recoveries: checkpoint.recoveries,
            last_recovery: checkpoint.last_recovery.as_ref().map(|recovery| Recovery {
                at: instant::from_unix_nano(recovery.at_unix_nano),
                from: instant::from_unix_nano(recovery.from_unix_nano),
                reason: recovery.reason.clone(),
            }),
            passed_by: passed_by(checkpoint),
            passed_by_at: passed_by_at(checkpoint),
            given_up: None,
            page_limit: NonZeroU32::new(checkpoint.page_limit),
            cursor_refusals: checkpoint.cursor_refusals,
            refusal: refusal(checkpoint),
        }
    }
}

fn passed_by(checkpoint: &Checkpoint) -> Option<Span> {
    let to = instant::optional_from_unix_nano(checkpoint.passed_by_to_unix_nano)?;
    Some(Span { from: instant::from_unix_nano(checkpoint.passed_by_from_unix_nano), to })
}

/// Where another version has not noted it: no later than the newest recovery.
fn passed_by_at(checkpoint: &Checkpoint) -> Option<Timestamp> {
    let newest = || checkpoint.last_recovery.as_ref().map(|recovery| instant::from_unix_nano(recovery.at_unix_nano));
    passed_by(checkpoint)?;
    instant::optional_from_unix_nano(checkpoint.passed_by_at_unix_nano).or_else(newest)
}

fn refusal(checkpoint: &Checkpoint) -> Option<Refusal> {
    let outcome = checkpoint.outcome.as_ref().filter(|outcome| matches!(outcome.kind(), Kind::Refused | Kind::Off))?;
    let since = instant::optional_from_unix_nano(checkpoint.refused_since_unix_nano)?;
    Some(Refusal { reason: outcome.reason.clone(), since })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn span(from: i64, to: i64) -> Span {
        Span { from: hour(from), to: hour(to) }
    }

    /// What is left to read, as of when, and what is given up, after recoveries that each pass something by or nothing.
    fn check(
        caught_up: Option<i64>,
        recoveries: &[(i64, Option<Span>)],
        kept: Span,
        passed_by_at: i64,
        given_up: Option<Span>,
    ) {
        let mut history = History { caught_up_at: caught_up.map(hour), ..History::default() };
        for (at, passed_by) in recoveries {
            let recovery = Recovery { at: hour(*at), from: hour(*at), reason: "cursor_refused".into() };
            history.recovered(recovery, *passed_by);
        }
        let left = (history.passed_by, history.passed_by_at, history.given_up);
        assert_eq!(left, (Some(kept), Some(hour(passed_by_at)), given_up), "{caught_up:?} {recoveries:?}");
    }

    #[test]
    fn what_was_passed_by_keeps_its_time_until_more_is() {
        let first = (200, Some(span(10, 20)));
        check(Some(210), &[first], span(10, 20), 200, None);
        // However many recoveries follow that pass nothing by, and however late.
        check(Some(210), &[first, (300, None), (400, None)], span(10, 20), 200, None);
        check(Some(210), &[first, (9_000, None)], span(10, 20), 200, None);
        check(Some(210), &[first, (300, Some(span(30, 40)))], span(10, 40), 300, None);
        // Late events may have come to where an audit has been.
        check(Some(210), &[first, (300, Some(span(12, 15)))], span(10, 20), 300, None);
    }

    #[test]
    fn what_was_passed_by_is_given_up_for_more_once_audits_have_had_their_time() {
        let first = (200, Some(span(10, 20)));
        let later = 200 + 7 * 24;
        check(Some(210), &[first, (later - 1, Some(span(30, 40)))], span(10, 40), later - 1, None);
        check(Some(210), &[first, (later, Some(span(30, 40)))], span(30, 40), later, Some(span(10, 20)));
        // Recoveries that pass nothing by do not make it any younger.
        check(Some(210), &[first, (300, None), (later, Some(span(30, 40)))], span(30, 40), later, Some(span(10, 20)));
        check(Some(210), &[first, (later, Some(span(5, 40)))], span(5, 40), later, None);
        // Without having caught up the chain has had no audit.
        check(Some(190), &[first, (later, Some(span(30, 40)))], span(10, 40), later, None);
        check(None, &[first, (later, Some(span(30, 40)))], span(10, 40), later, None);
    }

    #[test]
    fn what_another_version_has_noted_was_passed_by_at_the_newest_recovery() {
        let noted = |at: i64| {
            let recovery = Recovery { at: hour(300), from: hour(20), reason: "cursor_refused".into() };
            let passed_by_at = Some(hour(200));
            let history = History {
                last_recovery: Some(recovery),
                passed_by: Some(span(10, 20)),
                passed_by_at,
                ..History::default()
            };
            let mut checkpoint = Checkpoint::default();
            history.write(&mut checkpoint);
            checkpoint.passed_by_at_unix_nano *= at;
            History::read(&checkpoint).passed_by_at
        };
        assert_eq!((noted(1), noted(0)), (Some(hour(200)), Some(hour(300))));
    }
}
