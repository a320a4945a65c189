//! Where to begin again when a chain cannot go on from its cursor.
//!
//! A reset brings everything from a point in time on, so the point must lie before whatever is missing and after whatever cannot be
//! recognised as stored. What is missing has happened after the newest stored event, or after the chain last stood at the feed's end,
//! but for what arrives late. What can be recognised is told by those who looked back over the stored pages.
//!
//! A feed that is paged by tokens is asked by when 1Password had the events, about which the times of events say nothing. Its place knows
//! itself where to begin anew ([`Place::anew`]): what lies behind that is stored, whatever could be recognised.

use jiff::{SignedDuration, Timestamp};

use super::History;
use crate::page_token::Place;

/// How far before the end of what is stored a chain begins again: a day, which 1Password's events may take to arrive, and some more.
pub const OVERLAP: SignedDuration = SignedDuration::from_hours(26);

/// A recovery under way: the cursor is given up, and the page that takes its place is not stored yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reset {
    /// From which time on, as the feed is asked; `None` while the stored pages are looked through.
    pub(super) from: Option<Timestamp>,
    /// In a feed that is paged by tokens: the place that was given up.
    pub(super) place: Option<Place>,
    /// A stable word.
    pub(super) reason: &'static str,
}

/// Up to when everything is stored that had arrived; `None`: nothing is known.
pub(super) fn stored_until(history: &History) -> Option<Timestamp> {
    history.newest_event_at.max(history.caught_up_at).or(history.last_success_at)
}

/// The point to begin at, if what is stored could be recognised from there on. Never before `start`: what is older was never asked for.
pub(super) fn wanted(history: &History, start: Timestamp) -> Timestamp {
    stored_until(history).map_or(start, |until| until.saturating_sub(OVERLAP).unwrap_or(Timestamp::MIN).max(start))
}

/// The point to begin at, where stored events can be recognised from `covered` on.
///
/// Never behind the end of what is stored: then a few events may come twice, which their row ids tell; a lost one nobody could tell.
pub(super) fn chosen(history: &History, start: Timestamp, covered: Timestamp) -> Timestamp {
    let wanted = wanted(history, start);
    let until = stored_until(history).unwrap_or(start).max(wanted);
    covered.clamp(wanted, until)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn check(newest: Option<i64>, caught_up: Option<i64>, covered: i64, expect: i64) {
        let history = History {
            newest_event_at: newest.map(hour),
            caught_up_at: caught_up.map(hour),
            last_success_at: Some(hour(1_000)),
            ..History::default()
        };
        assert_eq!(chosen(&history, hour(10), hour(covered)), hour(expect), "{newest:?} {caught_up:?} {covered}");
    }

    #[test]
    fn a_chain_begins_again_before_the_end_of_what_is_stored() {
        // In the middle of a long past.
        check(Some(100), None, 0, 74);
        // At the feed's end, which was quiet for long.
        check(Some(100), Some(500), 0, 474);
        // Behind again after having been at the end.
        check(Some(500), Some(100), 0, 474);
        // Nothing is known but that it was polled.
        check(None, None, 0, 974);
    }

    #[test]
    fn what_cannot_be_recognised_is_not_asked_for_unless_something_could_be_lost() {
        check(Some(100), None, 80, 80);
        check(Some(100), None, 100, 100);
        check(Some(100), None, 101, 100);
    }

    #[test]
    fn a_chain_never_begins_before_its_start() {
        check(Some(20), None, 0, 10);
        assert_eq!(wanted(&History::default(), hour(10)), hour(10));
    }
}
