//! Believable events of invented companies: a pure function of a seed and a configuration.
//!
//! Everything an account's feeds hold at the start is made here, without a clock: the same seed, profile and account name
//! give the same bytes for ever. Each day is drawn from its own seed, so data sets that overlap in time agree on the days they
//! share, and a collector that continues against a longer one sees the past unchanged.

use jiff::{SignedDuration, Timestamp, tz::Offset};

use crate::{feed::Feed, random::Random};

mod audit;
pub(crate) mod bulk;
mod catalogue;
mod company;
mod devices;
mod event;
mod lookups;
mod people;
mod places;
mod rhythm;
mod signin;
mod usage;

pub(crate) use self::company::Company;
pub(crate) use self::event::Event;
pub use self::lookups::Lookups;
use self::{bulk::Bulk, event::Draft};

/// Weeks a company's history may span at most: the Events API keeps 120 days.
pub const MAX_WEEKS: u32 = 17;

/// Largest factor by which a company's activity may be multiplied: some forty million events in three weeks.
pub const MAX_FACTOR: f64 = 1000.0;

/// What an account's feeds hold when the simulator starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// A company of forty people: office hours, quiet weekends, failed sign-ins, exports, late arrivals. Some ten thousand
    /// events a week over all three feeds.
    Company {
        /// Length of the history in weeks, 1 to [`MAX_WEEKS`].
        weeks: u32,
        /// End of the history: the feeds hold what had *arrived* at this moment. Events that arrive after the simulator's own
        /// clock become visible as that clock reaches them, so a moment in the past gives a finished data set and one in the
        /// future gives feeds that grow.
        until: Timestamp,
        /// Multiplies the activity, above 0 to [`MAX_FACTOR`].
        factor: f64,
    },
    /// A fixed number of events in each feed, spread evenly over twenty days, in bounded memory: for benchmarks.
    Bulk {
        /// Events in each of the three feeds, up to [`MAX_BULK_EVENTS`].
        events_per_feed: u64,
        /// Arrival of the last event.
        until: Timestamp,
    },
    /// No events: feeds that grow only by what is appended.
    Empty,
}

/// Events a bulk feed may hold at most: the ledger keeps twelve bytes for each.
pub const MAX_BULK_EVENTS: u64 = 100_000_000;

impl Profile {
    /// The bound that this profile breaks, if it breaks one.
    pub(crate) fn broken_bound(&self) -> Option<&'static str> {
        match self {
            Self::Company { weeks, .. } if !(1..=MAX_WEEKS).contains(weeks) => Some("weeks must be 1 to 17"),
            Self::Company { factor, .. } if !(*factor > 0.0 && *factor <= MAX_FACTOR) => {
                Some("factor must be above 0 and at most 1000")
            }
            Self::Bulk { events_per_feed, .. } if *events_per_feed > MAX_BULK_EVENTS => {
                Some("a bulk feed holds 100,000,000 events at most")
            }
            Self::Company { .. } | Self::Bulk { .. } | Self::Empty => None,
        }
    }

    /// The generated events of a feed, in order of arrival.
    pub(crate) fn stored(&self, feed: Feed, company: &Company) -> Vec<Event> {
        match *self {
            Self::Company { weeks, until, factor } => {
                let span = SignedDuration::from_hours(i64::from(weeks) * 7 * 24);
                let from = until.saturating_sub(span).expect("a duration without calendar units always applies");
                history(feed, company, from, until, factor)
            }
            Self::Bulk { .. } | Self::Empty => Vec::new(),
        }
    }

    /// The events of a feed that are computed when they are served.
    pub(crate) fn bulk(&self, feed: Feed, company: &Company) -> Option<Bulk> {
        match *self {
            Self::Bulk { events_per_feed, until } => Some(Bulk::new(feed, company, events_per_feed, until)),
            Self::Company { .. } | Self::Empty => None,
        }
    }
}

/// Believable events that happen at the given moment and arrive with it, for feeds that grow while a test runs.
pub(crate) fn sample(feed: Feed, company: &Company, at: Timestamp, count: usize, salt: u64) -> Vec<Event> {
    let mut random = Random::of(&[company.seed, u64::from(feed.code()), salt]);
    (0..count).map(|_| one(feed, company, &mut random, Draft::plain, at).arriving(at)).collect()
}

/// A believable event of a live feed that happens at the given moment.
pub(crate) fn live(feed: Feed, company: &Company, random: &mut Random, at: Timestamp) -> Event {
    one(feed, company, random, |random, at| Draft::varied(random, at, Offset::UTC), at)
}

fn history(feed: Feed, company: &Company, from: Timestamp, until: Timestamp, factor: f64) -> Vec<Event> {
    let mut events = Vec::new();
    for day in rhythm::days(from, until) {
        let mut random = Random::of(&[company.seed, u64::from(feed.code()), day.number]);
        match feed {
            Feed::SignInAttempts => signin::day(company, &day, factor, &mut random, &mut events),
            Feed::ItemUsages => usage::day(company, &day, factor, &mut random, &mut events),
            Feed::AuditEvents => audit::day(company, &day, factor, &mut random, &mut events),
        }
    }
    events.retain(|event| event.timestamp >= from && event.arrival <= until);
    events.sort_by(|a, b| (a.arrival, &a.uuid).cmp(&(b.arrival, &b.uuid)));
    events
}

/// One ordinary event of a feed.
fn one(
    feed: Feed,
    company: &Company,
    random: &mut Random,
    draft: fn(&mut Random, Timestamp) -> Draft,
    at: Timestamp,
) -> Event {
    let draft = draft(random, at);
    match feed {
        Feed::SignInAttempts => signin::ordinary(company, random, draft),
        Feed::ItemUsages => usage::ordinary(company, random, draft),
        Feed::AuditEvents => audit::ordinary(company, random, draft),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::feed::Version;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn three_weeks(feed: Feed, until: &str) -> Vec<Event> {
        let profile = Profile::Company { weeks: 3, until: at(until), factor: 1.0 };
        profile.stored(feed, &Company::found(7, false))
    }

    fn parsed(event: &Event, version: Version) -> Value {
        let mut bytes = Vec::new();
        event.body.write(version, &mut bytes);
        serde_json::from_slice(&bytes).unwrap()
    }

    const UNTIL: &str = "2026-11-01T00:00:00Z";

    #[test]
    fn three_weeks_are_some_ten_thousand_distinct_events() {
        let events: Vec<Event> = Feed::ALL.into_iter().flat_map(|feed| three_weeks(feed, UNTIL)).collect();
        assert!((20_000..90_000).contains(&events.len()), "{}", events.len());
        let distinct: HashSet<&str> = events.iter().map(|event| &*event.uuid).collect();
        assert_eq!(distinct.len(), events.len());
    }

    #[test]
    fn events_come_in_order_of_arrival_and_some_are_late() {
        for feed in Feed::ALL {
            let events = three_weeks(feed, UNTIL);
            assert!(events.is_sorted_by_key(|event| event.arrival));
            assert!(events.iter().all(|event| event.arrival >= event.timestamp && event.arrival <= at(UNTIL)));
            assert!(!events.is_sorted_by_key(|event| event.timestamp), "{feed} has no late arrival");
        }
        let late = |event: &&Event| event.arrival.duration_since(event.timestamp) > SignedDuration::from_hours(1);
        assert!(three_weeks(Feed::ItemUsages, UNTIL).iter().filter(late).count() > 100);
    }

    #[test]
    fn every_body_states_its_uuid_and_moment_in_both_versions() {
        for feed in Feed::ALL {
            for event in three_weeks(feed, UNTIL).iter().step_by(7) {
                for version in Version::ALL {
                    let body = parsed(event, version);
                    assert_eq!(body["uuid"], *event.uuid);
                    assert_eq!(at(body["timestamp"].as_str().unwrap()), event.timestamp);
                }
                assert!(
                    !String::from_utf8_lossy(parsed(event, Version::V1).to_string().as_bytes()).contains("user_type")
                );
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
        let profile = Profile::Company { weeks: 1, until: at(UNTIL), factor: 0.1 };
        let texts = |seed| -> Vec<String> {
            let events = profile.stored(Feed::AuditEvents, &Company::found(seed, false));
            events.iter().map(|event| event.body.text().to_owned()).collect()
        };
        assert_eq!(texts(7), texts(7));
        assert_ne!(texts(7), texts(8));
    }

    #[test]
    fn overlapping_histories_agree_on_the_time_they_share() {
        let shared = |events: Vec<Event>| -> Vec<Box<str>> {
            let inside = |event: &Event| event.timestamp >= at("2026-10-14T00:00:00Z") && event.arrival <= at(UNTIL);
            events.into_iter().filter(inside).map(|event| event.uuid).collect()
        };
        let earlier = shared(three_weeks(Feed::ItemUsages, UNTIL));
        assert!(earlier.len() > 1000);
        assert_eq!(earlier, shared(three_weeks(Feed::ItemUsages, "2026-11-03T10:00:00Z")));
    }

    #[test]
    fn the_shapes_that_break_collectors_all_occur() {
        let signins = three_weeks(Feed::SignInAttempts, UNTIL);
        let details =
            |wanted: fn(&Value) -> bool| signins.iter().any(|event| wanted(&parsed(event, Version::V2)["details"]));
        assert!(details(Value::is_object) && details(Value::is_null) && details(Value::is_string));
        let category = |name: &str| signins.iter().any(|event| parsed(event, Version::V2)["category"] == name);
        for name in ["success", "credentials_failed", "mfa_failed", "firewall_failed", "firewall_reported_success"] {
            assert!(category(name), "no {name}");
        }
        assert!(signins.iter().any(|event| event.body.text().contains("\\\"")), "no escaped quote");

        let usages = three_weeks(Feed::ItemUsages, UNTIL);
        let exports = usages.iter().filter(|event| event.body.text().contains("\"export\"")).count();
        assert!(exports > 30, "{exports} exports");

        let audits = three_weeks(Feed::AuditEvents, UNTIL);
        let with = |key: &str| audits.iter().filter(|event| parsed(event, Version::V2).get(key).is_some()).count();
        for key in ["actor_details", "object_details", "aux_id", "aux_uuid", "aux_info", "session", "location"] {
            let count = with(key);
            assert!(count > 10 && count < audits.len(), "{key}: {count} of {}", audits.len());
        }
    }
}
