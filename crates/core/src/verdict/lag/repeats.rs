//! How often messages are delivered again.
//!
//! The server counts every delivery of a consumer, and beside it the newest message that was delivered. Over a window, deliveries that
//! brought no new message are repeats. Where a stream has gaps, new messages count for more than they are, so repeats are never too many.

use jiff::Timestamp;

use super::Window;

/// The least deliveries, and the share of them in per cent, from which on repeats are told of; and those below which it is over.
const OFTEN: (u64, u64) = (50, 50);
const SELDOM: (u64, u64) = (25, 25);

/// What a window says of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeats {
    /// Since when it has counted: the window's beginning, or when the consumer was made anew.
    pub since: Timestamp,
    /// All deliveries.
    pub deliveries: u64,
    /// Of these, the ones that were none for the first time.
    pub repeats: u64,
}

/// How much they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Seldom,
    Between,
    Often,
}

impl Window {
    /// What came again within the window; `None` of a sink, and as long as there is one look.
    #[must_use]
    pub fn repeats(&self) -> Option<Repeats> {
        let newest = self.looks.newest()?;
        let given = newest.given?;
        let same = |given: &super::Given| given.since == newest.given.map_or(given.since, |newest| newest.since);
        let mut first = newest;
        for look in self.looks.iter().rev().skip(1) {
            let (Some(before), Some(after)) = (look.given.filter(same), first.given) else { break };
            // A server that was killed may forget its last deliveries.
            if before.deliveries > after.deliveries || look.delivered > first.delivered {
                break;
            }
            first = look;
        }
        let deliveries = given.deliveries - first.given?.deliveries;
        let repeats = deliveries.saturating_sub(newest.delivered - first.delivered);
        (first.at < newest.at).then_some(Repeats { since: first.at, deliveries, repeats })
    }
}

impl Repeats {
    pub(super) fn measure(self) -> Measure {
        let reach = |(least, per_cent): (u64, u64), count| {
            count >= least && self.repeats.saturating_mul(100) > self.deliveries.saturating_mul(per_cent)
        };
        if reach(OFTEN, self.deliveries) {
            Measure::Often
        } else if reach(SELDOM, self.repeats) {
            Measure::Between
        } else {
            Measure::Seldom
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{
        lag::{Given, Look, Patience, Stuck},
        samples::{KEPT, at, look},
    };

    /// Looks half a minute apart, each with all deliveries and the newest message; the consumer was made at `made`.
    fn window(made: i64, looks: &[(u64, u64)]) -> Window {
        let mut window = Window::default();
        for (index, (deliveries, delivered)) in (0_i64..).zip(looks) {
            let given = Some(Given { deliveries: *deliveries, since: at(made) });
            window.add(
                Look { given, delivered: *delivered, floor: *delivered, ack_pending: 0, ..look(index * 30) },
                KEPT,
            );
        }
        window
    }

    fn check(window: &Window, expect: Option<(i64, u64, u64)>) {
        let found = window.repeats().map(|found| (found.since, found.deliveries, found.repeats));
        assert_eq!(found, expect.map(|(since, deliveries, repeats)| (at(since), deliveries, repeats)));
    }

    #[test]
    fn a_delivery_without_a_new_message_is_a_repeat() {
        check(&window(0, &[(500, 400)]), None);
        check(&window(0, &[(500, 400), (510, 410)]), Some((0, 10, 0)));
        check(&window(0, &[(500, 400), (510, 404), (530, 410)]), Some((0, 30, 20)));
        // Messages that were in no stream any more when their turn came.
        check(&window(0, &[(500, 400), (510, 450)]), Some((0, 10, 0)));
        let sink = Look { given: None, ..look(0) };
        check(&[sink, Look { at: at(30), ..sink }].into_iter().collect(), None);
    }

    #[test]
    fn a_consumer_that_is_made_anew_counts_anew() {
        // From the middle of the stream before, from its beginning now: nothing of it came again.
        let mut anew = window(0, &[(10, 1_000)]);
        let given = |deliveries| Some(Given { deliveries, since: at(20) });
        anew.add(Look { given: given(1_050), delivered: 1_050, ..look(30) }, KEPT);
        check(&anew, None);
        anew.add(Look { given: given(1_060), delivered: 1_055, ..look(60) }, KEPT);
        check(&anew, Some((30, 10, 5)));
        // A server that has forgotten its last moments.
        check(&window(0, &[(500, 400), (490, 395), (500, 400)]), Some((30, 10, 5)));
    }

    #[test]
    fn an_entry_and_an_exit() {
        for (deliveries, repeats, expect) in [
            (0, 0, Measure::Seldom),
            (49, 49, Measure::Between),
            (50, 25, Measure::Between),
            (50, 26, Measure::Often),
            (1_000, 500, Measure::Between),
            (1_000, 251, Measure::Between),
            (1_000, 250, Measure::Seldom),
            (24, 24, Measure::Seldom),
        ] {
            let found = Repeats { since: at(0), deliveries, repeats }.measure();
            assert_eq!(found, expect, "{repeats} of {deliveries}");
        }
    }

    #[test]
    fn messages_that_come_again_are_stuck() {
        let often = window(0, &[(100, 100), (200, 110)]);
        assert_eq!(
            often.stuck(at(30), Patience::default()),
            Stuck::Repeats { since: at(0), deliveries: 100, repeats: 90 }
        );
        assert_eq!(
            window(0, &[(100, 100), (200, 140)]).stuck(at(30), Patience::default()),
            Stuck::Repeats { since: at(0), deliveries: 100, repeats: 60 }
        );
        assert_eq!(window(0, &[(100, 100), (200, 150)]).stuck(at(30), Patience::default()), Stuck::InsufficientData);
        assert_eq!(window(0, &[(100, 100), (200, 180)]).stuck(at(30), Patience::default()), Stuck::No);
    }
}
