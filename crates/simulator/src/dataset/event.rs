//! An event of the data set, and the draft it is made from.
//!
//! What all three feeds share is decided in one place: identifier, moment and its spelling, how text is escaped, at which
//! key the object starts, and now and then a field that no documentation mentions.

use jiff::{Timestamp, tz::Offset};

use crate::{
    instant::{Spelling, later},
    json::{Escapes, Object, Rendered},
    random::Random,
    uuid,
};

/// One event as it lies in a feed.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) uuid: Box<str>,
    /// When it happened.
    pub(crate) timestamp: Timestamp,
    /// When 1Password received it; never earlier than `timestamp`. Feeds are ordered by this.
    pub(crate) arrival: Timestamp,
    pub(crate) body: Rendered,
}

impl Event {
    pub(crate) fn arriving(mut self, at: Timestamp) -> Self {
        self.arrival = at;
        self
    }
}

/// What is decided about an event before its feed fills in the rest.
pub(crate) struct Draft {
    uuid: String,
    at: Timestamp,
    spelling: Spelling,
    pub(crate) escapes: Escapes,
    first: usize,
    surprise: Option<(&'static str, &'static str)>,
}

/// Fields that are in no reference. Collectors must carry them.
const SURPRISES: [(&str, &str); 3] = [
    ("risk", r#"{"score":0.25,"reasons":["new_device","unusual hour"]}"#),
    ("schema_hint", r#""2026-10""#),
    ("sequence", "9007199254740993"),
];

impl Draft {
    /// A draft that varies in every way the API does.
    pub(crate) fn varied(random: &mut Random, at: Timestamp, local: Offset) -> Self {
        let spelling = Spelling::drawn(random, local);
        Self {
            uuid: uuid::upper(random),
            at: spelling.cut(at),
            spelling,
            escapes: if random.chance(30) { Escapes::Ascii } else { Escapes::Utf8 },
            first: if random.chance(100) { random.index(6) } else { 0 },
            surprise: random.chance(8).then(|| *random.pick(&SURPRISES)),
        }
    }

    /// A draft whose identifier and moment have a fixed width and whose keys stand in the documented order.
    pub(crate) fn plain(random: &mut Random, at: Timestamp) -> Self {
        Self {
            uuid: uuid::upper(random),
            at,
            spelling: Spelling::FIXED,
            escapes: Escapes::Utf8,
            first: 0,
            surprise: None,
        }
    }

    /// The object with its first field, to which the feed adds the others.
    pub(crate) fn object(&self) -> Object {
        Object::new(self.escapes).text("uuid", &self.uuid)
    }

    /// The event's moment as it is spelt.
    pub(crate) fn stamp(&self) -> String {
        self.spelling.write(self.at)
    }

    /// A moment before the event, spelt alike.
    pub(crate) fn stamp_before(&self, nanoseconds: i64) -> String {
        self.spelling.write(self.spelling.cut(later(self.at, -nanoseconds)))
    }

    /// The finished event, which arrives this long after it happened.
    pub(crate) fn finish(self, mut object: Object, lateness: i64) -> Event {
        if let Some((key, value)) = self.surprise {
            object = object.raw(key, value);
        }
        Event {
            uuid: self.uuid.into(),
            timestamp: self.at,
            arrival: later(self.at, lateness),
            body: object.finish_from(self.first),
        }
    }
}
