//! Turns a raw page into events, rejections and a note of what the schema does not know.
//!
//! Total: whatever a page holds, every item of it ends up as an event, as a rejection with its bytes, or as a counted duplicate. An
//! event matches its schema as a whole or not at all; values that need no change are copied as they were written.
//!
//! There are two ways. The plain one reads one item at a time as a small tree that borrows from the page, finds every problem, and
//! is the measure of what is right. The quick one walks over the text, takes only events that are as expected, which nearly all are,
//! and gives the same records.

mod coerce;
mod derive;
pub mod drift;
mod event;
mod one;
mod problem;
mod quick;
mod record;
mod row;

use std::fmt;

use bumpalo::Bump;
use bytes::Bytes;
use jiff::Timestamp;
use latchkey_contracts::{
    Feed,
    batch::Records,
    buffer,
    page::RawPage,
    rejection::{Problem, Rejection},
};

pub use self::{
    drift::{Drift, MAX_DRIFT_PATHS},
    one::{One, Origin, normalize_one, too_long},
    problem::MAX_PROBLEMS,
};
use self::{event::Walk, quick::Quick, record::Frame};
pub(crate) use self::{
    problem::{kind_of, not_json, text_of},
    row::write_row,
};
pub use crate::schema::Unknown;
use crate::{
    json,
    lookup::Lookups,
    page::{self, ItemView},
    schema::{self, Schemas},
    special::Marks,
};

/// How events are normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What becomes of fields that the schema does not declare, unless the log type has an answer of its own.
    pub unknown: Unknown,
    /// Whether the local part of an e-mail address counts as a user's name (`p_any_usernames`), as it does in Panther today.
    pub email_usernames: bool,
    /// Whether every event is read the plain way: the same records, slower. The measure that the quick way is held against.
    pub plainly: bool,
}

/// What a page became.
#[derive(Clone, Default, PartialEq)]
pub struct Normalized {
    /// Items of the page, duplicates and rejected ones included.
    pub items: u32,
    /// In the page's order.
    pub events: Events,
    /// In the page's order. A page that is none has one rejection without an item index and nothing else.
    pub rejections: Vec<Rejection>,
    /// Items that the page marks as stored before.
    pub duplicates: u32,
    /// How its events differ from the schema.
    pub drift: Drift,
}

/// Finished events with their places in the page.
#[derive(Clone, Default, PartialEq)]
pub struct Events {
    /// Of each event, its index in the page's items; ascending.
    pub indexes: Vec<u32>,
    /// The events.
    pub records: Records,
}

/// Numbers only: records and refused bytes do not belong into messages.
impl fmt::Debug for Normalized {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Normalized")
            .field("items", &self.items)
            .field("events", &self.events.records.len())
            .field("rejections", &self.rejections.len())
            .field("duplicates", &self.duplicates)
            .field("drift", &self.drift)
            .finish()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { unknown: Unknown::Keep, email_usernames: true, plainly: false }
    }
}

/// Normalizes a page. `body` is the page's body, decompressed; `now` becomes the events' `p_parse_time`, so normalizing a page
/// again gives the same records but for that field.
#[must_use]
pub fn normalize(
    page: &RawPage,
    body: &[u8],
    schemas: &Schemas,
    lookups: &Lookups,
    options: Options,
    now: Timestamp,
) -> Normalized {
    let Ok(feed) = page.feed.parse::<Feed>() else {
        return refused(body, "feed", "a feed that is known here", problem::text_of(&page.feed));
    };
    let log_type = feed.log_type().as_str();
    let Some(schema) = schemas.get(log_type) else {
        return refused(body, "schema", log_type, "no such schema".into());
    };
    let frame = Frame::new(&page.source, &page.source_label, log_type, now);
    let texts = Bump::new();
    let mut pass = Pass {
        text: simdutf8::basic::from_utf8(body).ok(),
        duplicates: &page.duplicates,
        root: &schema.root,
        quick: (!options.plainly).then(|| Quick::new(schema, lookups)).flatten(),
        // Records are about twice as long as the items they come from.
        walk: Walk::new(frame, schema, lookups, options, buffer::take(2 * body.len()), &texts),
        normalized: Normalized::default(),
    };
    match page::read_items(feed, body, &mut pass) {
        Ok(_) => pass.finish(),
        Err(error) => refused(body, "page", "a page with cursor, has_more and items", error.to_string()),
    }
}

/// One pass over the items of a page.
struct Pass<'s, 'a> {
    /// The body, unless it is no text somewhere.
    text: Option<&'a str>,
    /// Indexes of items that are marked, ascending.
    duplicates: &'s [u32],
    root: &'s schema::Object,
    /// `None`: all by the plain way.
    quick: Option<Quick<'s>>,
    walk: Walk<'s, 'a>,
    normalized: Normalized,
}

impl<'a> page::Items<'a> for Pass<'_, 'a> {
    /// Nearly every item is an object without faults, and an object ends where its brace is closed.
    fn read(&mut self, at: usize, marks: &Marks) -> Option<usize> {
        let text = self.text?;
        let rest = text.get(at..).filter(|rest| rest.starts_with('{'))?;
        if let Some(end) = self.quickly(text, marks, at) {
            return Some(end);
        }
        let (value, length) = json::parse_first(rest).ok()?;
        self.item(&rest.as_bytes()[..length], Ok(value));
        Some(at + length)
    }

    fn take(&mut self, item: ItemView<'a>) {
        self.item(item.raw, json::parse(item.raw));
    }
}

impl<'a> Pass<'_, 'a> {
    fn quickly(&mut self, text: &'a str, marks: &Marks, at: usize) -> Option<usize> {
        let index = self.normalized.items;
        if self.duplicates.binary_search(&index).is_ok() {
            return None;
        }
        let end = self.walk.quick_event(index, self.quick.as_mut()?, text, marks, at)?;
        self.normalized.items += 1;
        Some(end)
    }

    fn item(&mut self, raw: &'a [u8], value: Result<json::Value<'a>, json::Error>) {
        let index = self.normalized.items;
        self.normalized.items += 1;
        if self.duplicates.binary_search(&index).is_ok() {
            self.normalized.duplicates += 1;
            return;
        }
        let problems = match value {
            Ok(value) => self.walk.event(index, self.root, &value).err(),
            Err(error) => Some(vec![problem::not_json(error)]),
        };
        if let Some(problems) = problems {
            let raw = Bytes::copy_from_slice(raw);
            self.normalized.rejections.push(Rejection { item: Some(index), problems, raw });
        }
    }

    fn finish(self) -> Normalized {
        let (events, drift) = self.walk.finish();
        Normalized { events, drift, ..self.normalized }
    }
}

/// The whole page refused.
fn refused(body: &[u8], rule: &str, expected: &str, found: String) -> Normalized {
    let problem = Problem { path: "$".into(), rule: rule.into(), expected: expected.into(), found };
    let rejection = Rejection { item: None, problems: vec![problem], raw: Bytes::copy_from_slice(body) };
    Normalized { rejections: vec![rejection], ..Normalized::default() }
}

#[cfg(test)]
mod tests;
