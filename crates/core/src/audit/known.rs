//! What a chain has stored of a span of its past, and the judgement on what the API has there.

use hashbrown::{HashMap, HashSet};
use jiff::{SignedDuration, Timestamp};
use latchkey_contracts::Feed;

use super::Span;
use crate::{duplicates::Fingerprint, event_time::Asked, feed::Definition, page::ItemView};

/// Stored events of a span that are remembered at most: some 40 MB. A span with more is halved.
pub const MAX_KNOWN: usize = 500_000;

/// A span is not halved below this.
const SHORTEST_SPAN: SignedDuration = SignedDuration::from_secs(1);

/// The stored events of a span, by the time that the feed is asked by.
#[derive(Clone, Debug)]
pub struct Known {
    span: Span,
    asked: Asked,
    most: usize,
    events: HashMap<Fingerprint, Entry, foldhash::fast::RandomState>,
    /// Times of events that were stored before this one may lie on pages that are gone.
    unjudged: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    time: Option<Timestamp>,
    /// Whether the API has shown it since.
    shown: bool,
}

/// What a page of the past brings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Indexes of items that are not to be delivered, ascending.
    pub duplicates: Vec<u32>,
    /// The items that are stored nowhere, with their event times.
    pub missing: Vec<(Fingerprint, Option<Timestamp>)>,
    /// Stored events that the API had not shown before.
    pub present: u64,
    /// Items about which nothing can be said.
    pub unjudged: u64,
}

impl Known {
    /// Nothing yet; `most` is [`MAX_KNOWN`] but for tests.
    #[must_use]
    pub fn new(feed: Feed, span: Span, most: usize) -> Self {
        Self { span, asked: Asked::by(Definition::of(feed)), most, events: HashMap::default(), unjudged: None }
    }

    /// The span of which it knows all that was remembered: shorter than the wanted one if that had too many events.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// Pages are gone that may hold events with such times.
    pub fn leave_unjudged(&mut self, times: Span) {
        self.unjudged = Some(times).filter(|times| !times.is_empty());
    }

    /// Takes in the items of a stored page.
    pub fn remember(&mut self, items: &[ItemView<'_>]) {
        for item in items {
            let time = self.asked.time(item.raw);
            self.store(fingerprint(item), time);
        }
    }

    /// Takes in what was missing and is stored.
    pub fn repaired(&mut self, missing: &[(Fingerprint, Option<Timestamp>)]) {
        for (event, time) in missing {
            self.store(*event, *time);
            self.events.entry(*event).and_modify(|entry| entry.shown = true);
        }
    }

    /// Judges the items of a page that the API answered. Until the page is [`Self::show`]n, judging it again says the same.
    #[must_use]
    pub fn judge(&self, items: &[ItemView<'_>]) -> Judged {
        let mut judged = Judged::default();
        let mut here: HashSet<Fingerprint, _> =
            HashSet::with_capacity_and_hasher(items.len(), foldhash::fast::RandomState::default());
        for (index, item) in (0..).zip(items) {
            let (event, time) = (fingerprint(item), self.asked.time(item.raw));
            let judges = self.judges(time);
            match self.events.get(&event) {
                Some(entry) => judged.present += u64::from(!entry.shown && here.insert(event)),
                None if !judges => judged.unjudged += 1,
                None if here.insert(event) => {
                    judged.missing.push((event, time));
                    continue;
                }
                None => {}
            }
            judged.duplicates.push(index);
        }
        judged
    }

    /// A page that was judged counts: what it shows is not counted again.
    pub fn show(&mut self, items: &[ItemView<'_>]) {
        for item in items {
            if let Some(entry) = self.events.get_mut(&fingerprint(item)) {
                entry.shown = true;
            }
        }
    }

    /// An event without a time may have happened at any.
    fn judges(&self, time: Option<Timestamp>) -> bool {
        match (time, self.unjudged) {
            (Some(time), gone) => self.span.holds(time) && !gone.is_some_and(|gone| gone.holds(time)),
            (None, gone) => gone.is_none(),
        }
    }

    fn store(&mut self, event: Fingerprint, time: Option<Timestamp>) {
        if time.is_some_and(|time| !self.span.holds(time)) {
            return;
        }
        self.events.entry(event).or_insert(Entry { time, shown: false });
        while self.events.len() > self.most && self.span.to.duration_since(self.span.from) > SHORTEST_SPAN {
            self.span = self.span.halved();
            let span = self.span;
            self.events.retain(|_, entry| entry.time.is_none_or(|time| span.holds(time)));
        }
    }
}

/// An event without a readable uuid is told by its bytes.
fn fingerprint(item: &ItemView<'_>) -> Fingerprint {
    match &item.uuid {
        Some(uuid) => Fingerprint::of(uuid),
        None => Fingerprint::of(&String::from_utf8_lossy(item.raw)),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Judges a page of events, each a name and a second, and says what is missing by place, and how many are present and unjudged.
    fn check(known: &mut Known, page: &[(&str, i64)], missing: &[usize], present: u64, unjudged: u64) {
        with(page, |items| {
            let judged = known.judge(items);
            assert_eq!(known.judge(items), judged, "a page that could not be published is judged again");
            known.show(items);
            let expected: Vec<u32> =
                (0..).zip(items).filter(|(at, _)| !missing.contains(&(*at as usize))).map(|(at, _)| at).collect();
            assert_eq!((judged.duplicates, judged.present, judged.unjudged), (expected, present, unjudged), "{page:?}");
            assert_eq!(judged.missing.len(), missing.len());
        });
    }

    fn with<T>(page: &[(&str, i64)], act: impl FnOnce(&[ItemView<'_>]) -> T) -> T {
        let raw: Vec<String> = page.iter().map(|(_, at)| format!("{{\"timestamp\":\"{}\"}}", second(*at))).collect();
        let items: Vec<_> = page
            .iter()
            .zip(&raw)
            .map(|((uuid, _), raw)| ItemView { raw: raw.as_bytes(), uuid: Some(Cow::Borrowed(*uuid)) })
            .collect();
        act(&items)
    }

    fn known(most: usize, stored: &[(&str, i64)]) -> Known {
        let mut known = Known::new(Feed::ItemUsages, Span { from: second(100), to: second(200) }, most);
        with(stored, |items| known.remember(items));
        known
    }

    #[test]
    fn what_is_stored_nowhere_is_missing_once() {
        let mut known = known(10, &[("a", 110), ("b", 120)]);
        check(&mut known, &[("a", 110), ("c", 115), ("c", 115), ("b", 120), ("a", 110)], &[1], 2, 0);
        let missing = with(&[("c", 115)], |items| known.judge(items).missing);
        known.repaired(&missing);
        check(&mut known, &[("c", 115), ("a", 110)], &[], 0, 0);
    }

    #[test]
    fn a_feed_that_is_asked_by_insertion_is_judged_by_it() {
        let mut known = Known::new(Feed::AuditEventsV3, Span { from: second(100), to: second(200) }, 10);
        let raw = format!(r#"{{"insert_time":"{}","timestamp":"{}"}}"#, second(150), second(3));
        let item = |uuid| ItemView { raw: raw.as_bytes(), uuid: Some(Cow::Borrowed(uuid)) };
        known.remember(&[item("a")]);
        let judged = known.judge(&[item("a"), item("b")]);
        assert_eq!((judged.duplicates, judged.missing.len(), judged.unjudged), (vec![0], 1, 0));
    }

    #[test]
    fn what_may_lie_on_pages_that_are_gone_is_left_as_it_is() {
        let mut known = known(10, &[("a", 110)]);
        known.leave_unjudged(Span { from: second(0), to: second(150) });
        check(&mut known, &[("a", 110), ("b", 149), ("c", 150)], &[2], 1, 1);
        // Outside of the span nothing is known.
        check(&mut known, &[("d", 99), ("e", 200)], &[], 0, 2);
    }

    #[test]
    fn a_span_with_too_many_events_is_halved() {
        let stored: Vec<(String, i64)> = (100..200).map(|at| (at.to_string(), at)).collect();
        let stored: Vec<(&str, i64)> = stored.iter().map(|(uuid, at)| (uuid.as_str(), *at)).collect();
        let mut known = known(30, &stored);
        assert_eq!(known.span(), Span { from: second(100), to: second(125) });
        check(&mut known, &[("100", 100), ("x", 124), ("124", 124), ("150", 150)], &[1], 2, 1);
    }
}
