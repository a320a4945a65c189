//! The walk over one event: checks it, writes its record, collects its indicators, all in one go.
//!
//! A record is written as if all were well and taken back if it is not, so that one walk finds every problem and good events, which
//! nearly all are, cost nothing more.

mod fields;

use std::{borrow::Cow, ops::Range};

use bumpalo::Bump;
use jiff::Timestamp;
use latchkey_contracts::{
    batch::{Place, Records},
    buffer,
    rejection::Problem,
};

use super::{
    Drift, Events, Options, Unknown,
    coerce::Unfit,
    derive::Origin,
    problem::{self, Path, Problems},
    record::Frame,
};
use crate::{
    indicator::Indicators,
    instant,
    json::{self, Member, Value},
    lookup::Lookups,
    row_id::RowId,
    schema::{self, Object, Schema},
};

/// The walk over the events of one page, with the space they share.
pub(super) struct Walk<'s, 'a> {
    pub(super) frame: Frame<'s>,
    schema: &'s Schema,
    pub(super) lookups: &'s Lookups,
    pub(super) unknown: Unknown,
    /// The finished records, one after the other.
    pub(super) out: Vec<u8>,
    indexes: Vec<u32>,
    places: Vec<Place>,
    pub(super) drift: Drift,
    // What follows belongs to the event in hand.
    origin: Origin<'s, 'a>,
    pub(super) path: Path<'s>,
    pub(super) problems: Problems,
    pub(super) indicators: Indicators<'a>,
    pub(super) event_time: Option<Timestamp>,
    uuid: Option<Cow<'a, str>>,
    pub(super) folded: String,
}

impl<'s, 'a> Walk<'s, 'a> {
    /// `out`: an empty buffer for the records. `texts`: holds what transformations make, as long as the walk.
    pub(super) fn new(
        frame: Frame<'s>,
        schema: &'s Schema,
        lookups: &'s Lookups,
        options: Options,
        out: Vec<u8>,
        texts: &'a Bump,
    ) -> Self {
        Self {
            frame,
            schema,
            lookups,
            unknown: schema.unknown.unwrap_or(options.unknown),
            out,
            indexes: Vec::new(),
            places: Vec::new(),
            drift: Drift::default(),
            origin: Origin::new(&schema.root, texts),
            path: Path::default(),
            problems: Problems::default(),
            indicators: Indicators::new(options.email_usernames),
            event_time: None,
            uuid: None,
            folded: String::new(),
        }
    }

    /// Takes one event in, or answers with everything that is wrong with it.
    pub(super) fn event(&mut self, index: u32, root: &'s Object, value: &Value<'a>) -> Result<(), Vec<Problem>> {
        let start = self.out.len();
        self.indicators.clear();
        self.event_time = None;
        self.uuid = None;
        match value {
            Value::Object(members) => {
                if self.schema.looks_up {
                    self.origin.turn_to(members);
                }
                self.object(root, members, true);
            }
            other => self.unfit(&Unfit { rule: "type", expected: "object" }, other),
        }
        let row_id = self.row_id(root, value);
        let (Some(row_id), true) = (row_id, self.problems.is_empty()) else {
            self.out.truncate(start);
            return Err(self.problems.take());
        };
        let event_time = self.event_time.unwrap_or(self.frame.now);
        let body = self.schema.rewrites.then(|| self.out[start..].to_vec());
        self.reopen();
        let row_id = self.frame.write(&mut self.out, &row_id, event_time);
        self.indicators.write(&mut self.out);
        self.enrich(value, body.as_deref());
        self.out.push(b'}');
        self.finish_event(index, row_id, event_time, start);
        Ok(())
    }

    /// Keeps the record that begins at `start` of what was written and ends here.
    pub(super) fn finish_event(&mut self, index: u32, row_id: Range<usize>, event_time: Timestamp, start: usize) {
        let event_time_unix_nano = instant::to_unix_nano(event_time);
        self.indexes.push(index);
        self.places.push(Place { row_id, event_time_unix_nano, record: start..self.out.len() });
    }

    /// Writes one object as the schema declares it, without standard fields; answers with everything that is wrong with it.
    pub(super) fn row(&mut self, members: &[Member<'a>]) -> Result<(), Vec<Problem>> {
        if self.schema.looks_up {
            self.origin.turn_to(members);
        }
        let schema = self.schema;
        self.object(&schema.root, members, false);
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems.take()) }
    }

    /// The events, their records sharing one buffer.
    pub(super) fn finish(self) -> (Events, Drift) {
        let records = Records::new(buffer::lend(self.out), self.places);
        (Events { indexes: self.indexes, records }, self.drift)
    }

    /// Every sink's key comes from the event's uuid if its schema declares one, so an event without it cannot be kept apart from
    /// others; where none is declared, it comes from the whole event.
    fn row_id(&mut self, root: &Object, value: &Value<'a>) -> Option<RowId> {
        if root.field(schema::ROW_KEY).is_none() {
            let mut event = Vec::new();
            json::write_value(&mut event, value);
            return Some(self.frame.row_ids.of(&event));
        }
        let uuid = self.uuid.take().filter(|uuid| !uuid.is_empty());
        if uuid.is_none() && self.problems.is_empty() {
            let found = value.get(schema::ROW_KEY).map_or_else(|| "nothing".into(), problem::kind_of);
            self.problems.add("$.uuid".into(), "required", "a text that is not empty", found);
        }
        uuid.map(|uuid| self.frame.row_ids.of(uuid.as_bytes()))
    }

    /// Selectors name fields of the record. Where that is not the event in another form, the record is what is looked at: what it
    /// masks must not come back as `p_match`.
    fn enrich(&mut self, event: &Value<'a>, body: Option<&[u8]>) {
        let record = body.and_then(|body| json::parse_within(str::from_utf8(body).ok()?, 2 * json::MAX_DEPTH).ok());
        if body.is_none() || record.is_some() {
            let event = record.as_ref().unwrap_or(event);
            self.lookups.write(&mut self.out, self.frame.log_type, event, &mut self.indicators, &mut self.folded);
        }
    }

    /// Takes back the closing brace of the event's object and makes room for another field.
    pub(super) fn reopen(&mut self) {
        self.out.pop();
        self.separate();
    }
}
