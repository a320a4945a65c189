//! Where to begin again when a chain cannot go on from its cursor.
//!
//! A reset brings everything from a point in time on, so the point must lie before whatever is missing and after whatever cannot be
//! recognised as stored. What can be recognised is told by those who looked back over the stored pages. What may be missing follows from
//! what is *proven*: the chain stood at the feed's end at some moment, and whatever had arrived by then is stored; or it never did, and all
//! that is known is where it began. The times of stored events prove nothing: a device whose clock is ahead puts an event of next week
//! among those of last week.
//!
//! Mostly there is a point that satisfies both. Where there is none, because more was stored since than can be remembered, the chain begins
//! where it recognises everything, so that nothing comes twice, and tells what it has **passed by**: an audit compares that with all stored
//! pages, and brings what is missing.
//!
//! A feed that is paged by tokens is asked by when 1Password had the events, about which the times of events say nothing. Its place knows
//! itself behind which moment everything is stored ([`Place::anew`]).

use jiff::{SignedDuration, Timestamp};

use super::History;
use crate::{audit::Span, page_token::Place};

/// How far before what is proven a chain begins again: a day, which 1Password's events may take to arrive, and some more.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(26);

/// A recovery under way: the cursor is given up, and the page that takes its place is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    /// From which time on, as the feed is asked; `None` while the stored pages are looked through.
    pub(super) from: Option<Timestamp>,
    /// What may be missing before that.
    pub(super) passed_by: Option<Span>,
    /// In a feed that is paged by tokens: the place that was given up.
    pub(super) place: Option<Place>,
    /// A stable word.
    pub(super) reason: &'static str,
}

/// The point to begin at, if what is stored could be recognised from there on. Never before `start`: what is older was never asked for.
pub(super) fn wanted(history: &History, start: Timestamp) -> Timestamp {
    history.caught_up_at.map_or(start, |proven| proven.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN).max(start))
}

/// The point to begin at, where stored events can be recognised from `covered` on, and what is passed by.
///
/// Where thousands of events claim to be from the future, the point may lie there, and what happens until then comes by the audit, which waits
/// for it: a request that begins earlier would bring again what cannot be recognised.
pub(super) fn after_a_cursor(history: &History, start: Timestamp, covered: Timestamp) -> (Timestamp, Option<Span>) {
    let from = covered.max(wanted(history, start));
    (from, passed_by(history, start, from))
}

/// The moment after which what was inserted is asked for, and what is passed by. `anew` is the place to begin at if all could be recognised.
pub(super) fn after_a_place(anew: &Place, covered: Timestamp) -> (Timestamp, Option<Span>) {
    let instant = SignedDuration::from_nanos(1);
    let wanted = anew.begins_after();
    let from = wanted.max(covered.saturating_sub(instant).unwrap_or(Timestamp::MIN));
    let to = from.saturating_add(instant).unwrap_or(Timestamp::MAX);
    (from, (from > wanted).then_some(Span { from: wanted, to }))
}

/// What may be missing before the point that was chosen; `None`: nothing.
pub(super) fn passed_by(history: &History, start: Timestamp, chosen: Timestamp) -> Option<Span> {
    Some(Span { from: wanted(history, start), to: chosen }).filter(|span| !span.is_empty())
}

/// Events per page of a recovery that follows on so many: `limit` or up to half as many, and each time another number. A chain may begin
/// again where it began before, and the same request might lead to the very cursor that was refused.
pub(super) fn page_limit(limit: u32, recoveries: u32) -> u32 {
    limit - recoveries.wrapping_add(1) % (limit / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    /// The chain began at hour 10.
    fn check(newest: Option<i64>, caught_up: Option<i64>, covered: i64, expect: i64, passed_by_from: Option<i64>) {
        let history = History {
            newest_event_at: newest.map(hour),
            caught_up_at: caught_up.map(hour),
            last_success_at: Some(hour(1_000)),
            ..History::default()
        };
        let told = format!("{newest:?} {caught_up:?} {covered}");
        let passed_by = passed_by_from.map(|from| Span { from: hour(from), to: hour(expect) });
        assert_eq!(after_a_cursor(&history, hour(10), hour(covered)), (hour(expect), passed_by), "{told}");
    }

    #[test]
    fn a_chain_begins_again_before_what_is_proven() {
        // At the feed's end, which was quiet for long.
        check(Some(100), Some(500), 0, 474, None);
        // Behind again after having been at the end.
        check(Some(900), Some(100), 0, 74, None);
        // In the middle of a long past: whatever times the events of it have, they prove nothing.
        check(Some(100), None, 0, 10, None);
        // Nothing is known but that it was polled.
        check(None, None, 0, 10, None);
        // It has just begun.
        check(Some(20), Some(21), 0, 10, None);
    }

    #[test]
    fn what_cannot_be_recognised_is_passed_by_and_told() {
        check(Some(600), Some(500), 480, 480, Some(474));
        check(Some(900), Some(100), 600, 600, Some(74));
        check(Some(100), None, 80, 80, Some(10));
        check(Some(100), None, 100, 100, Some(10));
        // Clocks were ahead: a request that begins at the newest event would bring theirs again.
        check(Some(100), None, 101, 101, Some(10));
        check(Some(600), Some(500), 626, 626, Some(474));
        check(None, None, 1_000, 1_000, Some(10));
    }

    #[test]
    fn no_recovery_asks_as_the_one_before() {
        let limits = |limit| (0..5).map(|recoveries| page_limit(limit, recoveries)).collect::<Vec<_>>();
        assert_eq!(limits(1_000), [999, 998, 997, 996, 995]);
        assert_eq!(limits(5), [4, 3, 5, 4, 3]);
        assert_eq!(limits(2), [1, 2, 1, 2, 1]);
        assert_eq!(limits(1), [1; 5]);
    }

    #[test]
    fn a_chain_that_knows_nothing_begins_at_its_start() {
        let history = History::default();
        assert_eq!(after_a_cursor(&history, hour(10), hour(10)), (hour(10), None));
    }
}
