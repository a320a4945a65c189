//! How much of a feed validation refuses.
//!
//! Of the last hour (the operator may set a shorter span), by the minute. The rules, the first that applies:
//! 1. Nothing was refused: **none**.
//! 2. A whole page was refused: **pages**. There is no harmless reason for that.
//! 3. At least ten items were, and one in a hundred of those that arrived: **many**.
//! 4. Otherwise **few**, which neither raises an alert nor resolves it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// The longest span that is judged.
pub const SPAN: SignedDuration = SignedDuration::from_hours(1);

/// Refused items below which nothing is made of them.
const MANY: u64 = 10;

/// Of so many that arrive, one may be refused.
const ONE_IN: u64 = 100;

/// What was refused of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// When.
    pub at: Timestamp,
    /// Items of it.
    pub items: u64,
    /// Whether it was refused as a whole.
    pub page: bool,
    /// The first fault's rule and path; no value.
    pub fault: String,
}

/// What was refused of a feed in the last hour.
#[derive(Clone, Debug, Default)]
pub struct Hour {
    minutes: VecDeque<Minute>,
    fault: String,
}

#[derive(Clone, Copy, Debug)]
struct Minute {
    at: Timestamp,
    items: u64,
    pages: u64,
    /// New events of the feed before it, in all.
    events_before: u64,
}

/// How much is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused<'a> {
    /// Rule 1.
    None,
    /// Rule 4.
    Few,
    /// Rule 3.
    Many {
        /// Since when.
        since: Timestamp,
        /// How many items.
        items: u64,
        /// The newest fault.
        fault: &'a str,
    },
    /// Rule 2.
    Pages {
        /// Since when.
        since: Timestamp,
        /// How many pages.
        pages: u64,
        /// The newest fault.
        fault: &'a str,
    },
}

impl Hour {
    /// Takes in what was refused of a page, when the feed had brought `events_total` events in all.
    pub fn add(&mut self, batch: &Batch, events_total: u64) {
        let minute = |at: Timestamp| at.as_second().div_euclid(60);
        match self.minutes.back_mut() {
            // Clocks of several normalizers differ: what comes late counts with the newest.
            Some(last) if minute(batch.at) <= minute(last.at) => {
                last.items += batch.items;
                last.pages += u64::from(batch.page);
            }
            _ => self.minutes.push_back(Minute {
                at: batch.at,
                items: batch.items,
                pages: u64::from(batch.page),
                events_before: events_total,
            }),
        }
        self.fault.clone_from(&batch.fault);
        self.forget(batch.at);
    }

    /// Forgets what is older than an hour.
    pub fn forget(&mut self, now: Timestamp) {
        while self.minutes.front().is_some_and(|minute| now.duration_since(minute.at) >= SPAN) {
            self.minutes.pop_front();
        }
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty()
    }

    /// How much was refused within `span`, when the feed has brought `events_total` events in all.
    #[must_use]
    pub fn judge(&self, events_total: u64, span: SignedDuration, now: Timestamp) -> Refused<'_> {
        let recent = || self.minutes.iter().filter(|minute| now.duration_since(minute.at) < span);
        let Some(first) = recent().next() else { return Refused::None };
        let (items, pages) = recent().fold((0, 0), |(items, pages), next| (items + next.items, pages + next.pages));
        let fault = self.fault.as_str();
        if pages > 0 {
            return Refused::Pages { since: first.at, pages, fault };
        }
        // The checkpoint of the refused page's turn may be older than the refusal, or younger.
        let arrived = events_total.saturating_sub(first.events_before).max(items);
        if items >= MANY && items.saturating_mul(ONE_IN) >= arrived {
            return Refused::Many { since: first.at, items, fault };
        }
        Refused::Few
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::samples::at;

    fn batch(second: i64, items: u64) -> Batch {
        Batch { at: at(second), items, page: false, fault: "required at $.uuid".into() }
    }

    /// Batches as (second, items, whether a page, events before).
    fn check(batches: &[(i64, u64, bool, u64)], events_total: u64, now: i64, expect: &Refused<'_>) {
        let mut hour = Hour::default();
        for (second, items, page, events_before) in batches {
            hour.add(&Batch { page: *page, ..batch(*second, *items) }, *events_before);
        }
        assert_eq!(hour.judge(events_total, SPAN, at(now)), *expect, "{batches:?} of {events_total} at {now}");
    }

    #[test]
    fn every_rule() {
        let fault = "required at $.uuid";
        check(&[], 5_000, 0, &Refused::None);
        check(&[(0, 50, true, 0)], 0, 3_600, &Refused::None);
        check(&[(0, 1, true, 0)], 5_000, 60, &Refused::Pages { since: at(0), pages: 1, fault });
        check(&[(0, 4, false, 0), (90, 6, false, 0)], 1_000, 100, &Refused::Many { since: at(0), items: 10, fault });
        check(&[(0, 4, false, 0), (90, 5, false, 0)], 9, 100, &Refused::Few);
        check(&[(0, 10, false, 0)], 1_001, 100, &Refused::Few);
        check(&[(0, 10, false, 500)], 1_500, 100, &Refused::Many { since: at(0), items: 10, fault });
        // What is refused has arrived, whatever the checkpoint says yet.
        check(&[(0, 10, false, 7)], 7, 100, &Refused::Many { since: at(0), items: 10, fault });
        // Only of the last hour.
        check(&[(0, 90, false, 0), (3_000, 5, false, 0)], 5, 3_700, &Refused::Few);
    }

    #[test]
    fn an_hour_is_kept_by_the_minute() {
        let mut hour = Hour::default();
        for second in 0..10_000 {
            hour.add(&batch(second, 1), 0);
        }
        // What comes late counts too.
        hour.add(&batch(5, 1), 0);
        assert!(hour.minutes.len() <= 61, "{}", hour.minutes.len());
        hour.forget(at(20_000));
        assert!(hour.is_empty());
    }
}
