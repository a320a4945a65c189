use latchkey_contracts::Feed;

use super::{under_way::PAGES, *};
use crate::page;

const NOON: &str = "2026-06-01T12:00:00Z";

fn at(seconds: i64) -> Timestamp {
    NOON.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// The place after a page whose items were inserted at these seconds of the noon.
fn after(place: Place, inserted: &[i64], token: Option<&str>, now: Option<i64>) -> Result<Place, Error> {
    let items = inserted.iter().map(|seconds| format!(r#"{{"uuid":"{seconds}","insert_time":"{}"}}"#, at(*seconds)));
    let token = token.map(|token| format!(r#","next_page_token":"{token}""#)).unwrap_or_default();
    let body = format!(r#"{{"audit_events":[{}]{token}}}"#, items.collect::<Vec<_>>().join(","));
    step(place, &body, now)
}

/// Without a date, our clock counts: it is 9,999 s past noon.
fn step(place: Place, body: &str, date: Option<i64>) -> Result<Place, Error> {
    let place = place.after(
        Definition::of(Feed::AuditEventsV3),
        &page::read(Feed::AuditEventsV3, body.as_bytes()).unwrap(),
        date.map(at),
        at(9_999),
    )?;
    // Whatever it is, it lives through being written.
    assert_eq!(Place::read(&place.cursor().unwrap()), Some(place.clone()));
    Ok(place)
}

fn begins(place: &Place) -> SignedDuration {
    match place.ask() {
        Ask::After { time, .. } => time.duration_since(at(0)),
        other @ Ask::Token(_) => panic!("{other:?}"),
    }
}

fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

#[test]
fn a_chain_begins_at_its_start_and_follows_tokens() {
    let place = Place::begin(at(0), 10);
    assert_eq!(begins(&place), SignedDuration::from_nanos(-1), "the start itself belongs to it");
    let place = after(place, &[10, 20], Some("one"), None).unwrap();
    assert_eq!(place.ask(), Ask::Token("one"));
    let place = after(place, &[30], Some("two"), None).unwrap();
    assert_eq!(place.ask(), Ask::Token("two"));
}

#[test]
fn at_the_end_it_goes_on_an_overlap_before_the_newest_event() {
    let place = after(Place::begin(at(-9_999), 10), &[1_000, 900], None, Some(1_000)).unwrap();
    assert_eq!(begins(&place), seconds(1_000) - OVERLAP);
    // Nothing new, in whatever number of polls: it stays there.
    let again = after(place.clone(), &[900, 1_000], None, Some(1_060)).unwrap();
    assert_eq!(again, place);
    assert_eq!(after(again, &[], None, Some(1_120)).unwrap(), place);
    // Until nothing can come to light beside the newest any more.
    let settled = after(place, &[], None, Some(1_000 + SETTLED_AFTER.as_secs())).unwrap();
    assert_eq!(begins(&settled), seconds(1_000));
    // And it never goes back.
    assert_eq!(begins(&after(settled, &[1_010], None, Some(9_000)).unwrap()), seconds(1_010));
}

#[test]
fn an_overlap_never_goes_back_behind_the_beginning() {
    let place = after(Place::begin(at(950), 10), &[960, 1_000], None, Some(1_000)).unwrap();
    assert_eq!(begins(&place), seconds(950) - SignedDuration::from_nanos(1));
    assert_eq!(begins(&after(place, &[], None, None).unwrap()), seconds(950) - SignedDuration::from_nanos(1));
}

#[test]
fn an_overlap_is_no_longer_than_what_can_be_recognised() {
    for pages in 1_i64..60 {
        let mut place = Place::begin(at(-9_999), 10);
        for page in 0..pages {
            place = after(place, &[page, page], Some(&page.to_string()), Some(page)).unwrap();
        }
        let reached = pages - begins(&after(place, &[pages], None, Some(pages)).unwrap()).as_secs();
        // A page each second: as many as there are, until there are more than enough.
        let reached = u32::try_from(reached).unwrap_or(u32::MAX);
        if pages <= i64::from(PAGES) {
            assert!(reached >= u32::try_from(pages).unwrap(), "{pages} pages: {reached}");
        } else {
            assert!(reached >= PAGES, "{pages} pages: {reached}");
        }
        if pages > i64::from(2 * PAGES) {
            assert!(reached <= 2 * PAGES, "{pages} pages: {reached}");
        }
    }
    assert!(2 * PAGES as usize * 1_000 < crate::duplicates::MAX_UUIDS);
    assert!(OVERLAP < crate::duplicates::WALKED_BACK);
}

#[test]
fn a_token_that_comes_back_is_the_same_place() {
    let place = after(Place::begin(at(0), 10), &[10], Some("same"), None).unwrap();
    assert_eq!(after(place.clone(), &[10], Some("same"), None).unwrap(), place);
}

#[test]
fn times_from_the_future_pass_nothing_by() {
    let place = after(Place::begin(at(-9_999), 10), &[10, 999_999_999], None, Some(20)).unwrap();
    assert!(begins(&place) < seconds(20));
    let undated = after(Place::begin(at(-9_999), 10), &[10, 999_999_999], None, None).unwrap();
    assert!(begins(&undated) < seconds(9_999));
    // Neither does a long way through nothing else.
    let mut place = Place::begin(at(-9_999), 10);
    for page in 0..3 * PAGES {
        place = after(place, &[999_999_999], Some(&page.to_string()), None).unwrap();
    }
    assert!(begins(&after(place, &[10], None, None).unwrap()) <= seconds(9_999));
}

#[test]
fn a_way_that_took_long_settles_nothing() {
    let hour = SETTLED_AFTER.as_secs();
    // The token leads through what there was at 1,000 s, and was followed hours later.
    let place = after(Place::begin(at(-9_999), 10), &[1_000], Some("one"), Some(1_000)).unwrap();
    let place = after(place, &[990], None, Some(1_000 + 2 * hour)).unwrap();
    assert_eq!(begins(&place), seconds(1_000) - OVERLAP);
    // The next answer says that nothing came to light meanwhile.
    assert_eq!(begins(&after(place, &[990, 1_000], None, Some(1_000 + 2 * hour)).unwrap()), seconds(1_000));
}

#[test]
fn a_clock_of_ours_settles_nothing() {
    let place = after(Place::begin(at(-9_999), 10), &[1_000], None, None).unwrap();
    assert_eq!(begins(&after(place, &[], None, None).unwrap()), seconds(1_000) - OVERLAP);
}

/// Where a way that is given up begins anew, after pages with these insertion times.
fn anew(pages: impl IntoIterator<Item = i64>) -> i64 {
    let mut place = Place::begin(at(0), 10);
    for (token, inserted) in (0..).zip(pages) {
        place = after(place, &[inserted], Some(&format!("token {token}")), None).unwrap();
    }
    assert!(place.is_under_way() && !place.anew(10).is_under_way());
    begins(&place.anew(10)).as_secs()
}

#[test]
fn a_way_that_begins_anew_is_another_one() {
    let limit = |place: &Place| match place.ask() {
        Ask::After { limit, .. } => limit,
        Ask::Token(token) => panic!("{token}"),
    };
    let limits = |most: u32| {
        let places = std::iter::successors(Some(Place::begin(at(0), most)), |place| Some(place.anew(most)));
        places.map(|place| limit(&place)).take(8).collect::<Vec<_>>()
    };
    assert_eq!(limits(10), [10, 9, 8, 7, 6, 5, 10, 9]);
    assert_eq!(limits(2), [2, 1, 2, 1, 2, 1, 2, 1]);
    assert_eq!(limits(1), [1; 8]);
    // Where pages were too large, it is fewer in any case.
    assert_eq!(limit(&Place::begin(at(0), 10).anew(5)), 4);
}

#[test]
fn a_token_that_is_given_up_leaves_nothing_behind() {
    let many = i64::from(3 * PAGES);
    // A short way is gone again, and so is one in no order, in the reverse order, or within one moment.
    assert_eq!(anew([10, 20, 30]), 0);
    assert_eq!(anew((1..=many).rev()), 0);
    assert_eq!(anew((1..=many).map(|page| if page == many / 2 { 1 } else { page })), 0);
    assert_eq!(anew((1..=many).map(|_| 10)), 0);
    // Of a long one the last pages alone.
    let reached = anew(1..=many);
    assert!((PAGES..=2 * PAGES).contains(&u32::try_from(many - reached).unwrap()), "{reached}");
    // And its newest is not forgotten, so that whoever looks back over the pages knows when to stop.
    let place = after(Place::begin(at(0), 10), &[10], Some("one"), None).unwrap();
    assert_eq!(place.anew(10).newest(), Some(at(10)));
}

#[test]
fn an_event_without_an_insertion_time_goes_by_its_own() {
    let one = |fields: &str| format!(r#"{{"audit_events":[{{"uuid":"A"{fields}}}]}}"#);
    let happened = format!(r#","timestamp":"{}""#, at(1_000));
    let place = step(Place::begin(at(-9_999), 10), &one(&happened), None).unwrap();
    assert_eq!(begins(&place), seconds(1_000) - OVERLAP);
    // One without any is passed by where something is known, and refused where nothing is.
    assert_eq!(begins(&step(place, &one(""), None).unwrap()), seconds(1_000) - OVERLAP);
    assert_eq!(step(Place::begin(at(0), 10), &one(""), None), Err(Error::NoTimes));
}

#[test]
fn what_is_no_place_is_none() {
    for text in ["aGVsbG8gd29ybGQ=", "{}", r#"{"limit":10}"#, r#"{"limit":10,"after":"yesterday"}"#] {
        assert_eq!(Place::read(&text.parse().unwrap()), None, "{text}");
    }
}
