//! Millions of events in bounded memory: a thousand templates, with identifier and moment written over on serving.
//!
//! A benchmark must not measure the stand-in. Rendering a million events beforehand would take hundreds of megabytes, so only
//! the templates are kept, and the event at a position is computed from the position alone.

use jiff::Timestamp;

use super::{company::Company, event::Draft, one};
use crate::{
    feed::{Feed, Version},
    instant::{FIXED_LENGTH, fixed, later},
    random::Random,
    uuid,
};

/// Distinct events per feed before their shape repeats.
const TEMPLATES: usize = 1000;

/// The time over which a bulk feed's events are spread, in nanoseconds.
const SPREAD: i64 = 20 * 24 * 3600 * 1_000_000_000;

/// Every event arrives this long after it happened, in nanoseconds.
const LATENESS: i64 = 1_000_000_000;

/// A feed whose events are computed.
#[derive(Debug)]
pub(crate) struct Bulk {
    len: usize,
    salt: u64,
    /// When the first event happened.
    first: Timestamp,
    /// Nanoseconds between two events.
    step: i64,
    v1: Vec<Template>,
    v2: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    uuid_at: usize,
    timestamp_at: usize,
}

impl Bulk {
    /// A feed of this many events, the last of which arrives at `until`.
    pub(crate) fn new(feed: Feed, company: &Company, events: u64, until: Timestamp) -> Self {
        let salt = Random::of(&[company.seed, u64::from(feed.code()), BULK]).next();
        let step = SPREAD / i64::try_from(events.max(1)).expect("the number of events is bounded");
        let back = step * i64::try_from(events.saturating_sub(1)).expect("the number of events is bounded");
        let mut random = Random::of(&[salt]);
        let (v1, v2) = (0..TEMPLATES).map(|_| templates(feed, company, until, &mut random)).unzip();
        Self {
            len: usize::try_from(events).expect("the number of events is bounded"),
            salt,
            first: later(later(until, -LATENESS), -back),
            step,
            v1,
            v2,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn uuid(&self, index: usize) -> [u8; uuid::LENGTH] {
        uuid::numbered(self.salt, index as u64)
    }

    pub(crate) fn timestamp(&self, index: usize) -> Timestamp {
        later(self.first, self.step * i64::try_from(index).expect("the number of events is bounded"))
    }

    pub(crate) fn arrival(&self, index: usize) -> Timestamp {
        later(self.timestamp(index), LATENESS)
    }

    pub(crate) fn write(&self, index: usize, version: Version, out: &mut Vec<u8>) {
        let templates = match version {
            Version::V1 => &self.v1,
            Version::V2 | Version::V3 => &self.v2,
        };
        let template = &templates[index % TEMPLATES];
        let start = out.len();
        out.extend_from_slice(&template.bytes);
        let (uuid_at, timestamp_at) = (start + template.uuid_at, start + template.timestamp_at);
        out[uuid_at..uuid_at + uuid::LENGTH].copy_from_slice(&self.uuid(index));
        out[timestamp_at..timestamp_at + FIXED_LENGTH].copy_from_slice(&fixed(self.timestamp(index)));
    }
}

/// Keeps the numbers of bulk feeds apart from those of histories.
const BULK: u64 = u64::MAX - 1;

/// One event as both versions show it.
fn templates(feed: Feed, company: &Company, at: Timestamp, random: &mut Random) -> (Template, Template) {
    let event = one(feed, company, random, Draft::plain, at);
    let in_version = |version| {
        let mut bytes = Vec::new();
        event.body.write(version, &mut bytes);
        let timestamp = [&b"\"timestamp\":\""[..], &fixed(at)].concat();
        Template {
            uuid_at: position(&bytes, event.uuid.as_bytes()),
            timestamp_at: position(&bytes, &timestamp) + timestamp.len() - FIXED_LENGTH,
            bytes,
        }
    };
    (in_version(Version::V1), in_version(Version::V2))
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("an event states its uuid and its moment")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_states_its_own_uuid_and_moment() {
        let until: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let company = Company::found(7, false);
        for feed in Feed::ALL {
            let bulk = Bulk::new(feed, &company, 5000, until);
            assert_eq!(bulk.arrival(4999), until);
            for index in [0, 1, 999, 1000, 4999] {
                for version in Version::ALL {
                    let mut bytes = Vec::new();
                    bulk.write(index, version, &mut bytes);
                    let event: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
                    assert_eq!(event["uuid"].as_str().unwrap().as_bytes(), bulk.uuid(index));
                    let stated: Timestamp = event["timestamp"].as_str().unwrap().parse().unwrap();
                    assert_eq!(stated, bulk.timestamp(index));
                }
            }
        }
    }
}
