//! The walk over one event: checks it, writes its record, collects its indicators, all in one go.
//!
//! A record is written as if all were well and taken back if it is not, so that one walk finds every problem and good events, which
//! nearly all are, cost nothing more.

use std::{borrow::Cow, ops::Range};

use bytes::Bytes;
use jiff::Timestamp;
use latchkey_contracts::{event::Event, rejection::Problem};

use super::{
    Drift, Item, Options, Unknown,
    coerce::{self, Unfit},
    problem::{self, Path, Problems, Step},
    record::Frame,
};
use crate::{
    indicator::Indicators,
    instant,
    json::{self, Member, Text, Value},
    lookup::Lookups,
    row_id::RowId,
    schema::{self, Field, Kind, Object, Validate},
    timestamp,
};

/// The walk over the events of one page, with the space they share.
pub(super) struct Walk<'s, 'a> {
    frame: Frame<'s>,
    lookups: &'s Lookups,
    options: Options,
    /// The finished records, one after the other.
    out: Vec<u8>,
    finished: Vec<Finished>,
    drift: Drift,
    // What follows belongs to the event in hand.
    path: Path<'s>,
    problems: Problems,
    indicators: Indicators<'a>,
    event_time: Option<Timestamp>,
    folded: String,
}

struct Finished {
    index: u32,
    row_id: RowId,
    event_time: Timestamp,
    record: Range<usize>,
}

impl<'s, 'a> Walk<'s, 'a> {
    pub(super) fn new(frame: Frame<'s>, lookups: &'s Lookups, options: Options, body_size: usize) -> Self {
        Self {
            frame,
            lookups,
            options,
            // Records are about twice as long as the items they come from.
            out: Vec::with_capacity(2 * body_size),
            finished: Vec::new(),
            drift: Drift::default(),
            path: Path::default(),
            problems: Problems::default(),
            indicators: Indicators::new(options.email_usernames),
            event_time: None,
            folded: String::new(),
        }
    }

    /// Takes one event in, or answers with everything that is wrong with it.
    pub(super) fn event(&mut self, index: u32, root: &'s Object, value: &Value<'a>) -> Result<(), Vec<Problem>> {
        let start = self.out.len();
        self.indicators.clear();
        self.event_time = None;
        match value {
            Value::Object(members) => self.object(root, members, true),
            other => self.unfit(&Unfit { rule: "type", expected: "object" }, other),
        }
        let row_id = self.row_id(value);
        let (Some(row_id), true) = (row_id, self.problems.is_empty()) else {
            self.out.truncate(start);
            return Err(self.problems.take());
        };
        let event_time = self.event_time.unwrap_or(self.frame.now);
        self.reopen();
        self.frame.write(&mut self.out, &row_id, event_time);
        self.indicators.write(&mut self.out);
        self.lookups.write(&mut self.out, self.frame.log_type, value, &mut self.folded);
        self.out.push(b'}');
        self.finished.push(Finished { index, row_id, event_time, record: start..self.out.len() });
        Ok(())
    }

    /// The events, their records sharing one buffer.
    pub(super) fn finish(self) -> (Vec<Item>, Drift) {
        let records = Bytes::from(self.out);
        let item = |finished: Finished| Item {
            index: finished.index,
            event: Event {
                row_id: finished.row_id.into_string(),
                event_time_unix_nano: instant::to_unix_nano(finished.event_time),
                record: records.slice(finished.record),
            },
        };
        (self.finished.into_iter().map(item).collect(), self.drift)
    }

    fn object(&mut self, declared: &'s Object, members: &[Member<'a>], top: bool) {
        let mut found: Vec<Option<&Value<'a>>> = vec![None; declared.fields.len()];
        let mut unknown = Vec::new();
        let mut next = 0;
        for member in members {
            // Events mostly have their fields in the schema's order.
            let at = position(&declared.fields, member.key, next);
            match at.and_then(|at| found.get_mut(at)) {
                Some(slot) => *slot = Some(&member.value),
                None => unknown.push(member),
            }
            next = at.map_or(next, |at| at + 1);
        }
        self.out.push(b'{');
        for (field, value) in declared.fields.iter().zip(found) {
            self.field(field, value);
        }
        for member in unknown {
            self.unknown(member, top);
        }
        self.out.push(b'}');
    }

    fn field(&mut self, field: &'s Field, value: Option<&Value<'a>>) {
        let start = self.out.len();
        self.separate();
        self.out.extend_from_slice(&field.key);
        self.path.push(Step::Field(&field.name));
        let set = value.is_some_and(|value| self.value(&field.kind, value));
        if !set {
            self.out.truncate(start);
            if field.required {
                let found = value.map_or_else(|| "nothing".into(), problem::kind_of);
                self.problems.add(self.path.exact(None), "required", "a value", found);
            }
        }
        self.path.pop();
    }

    /// Writes a value; says whether it counts as there. One that does not fit does: its problem is noted.
    fn value(&mut self, kind: &'s Kind, value: &Value<'a>) -> bool {
        let written = match kind {
            Kind::String { indicators, validate } => match coerce::string(value) {
                Ok(Some(text)) => {
                    if !indicators.is_empty() || validate.is_some() {
                        self.inspect(indicators, validate.as_ref(), text);
                    }
                    json::write_text(&mut self.out, text);
                    Ok(Some(()))
                }
                other => other.map(|_| None),
            },
            Kind::Timestamp { formats, event_time } => coerce::instant(value, formats)
                .map(|instant| instant.map(|instant| self.instant(instant, *event_time, value))),
            Kind::Object(object) => match value {
                Value::Null => Ok(None),
                Value::Object(members) => {
                    self.object(object, members, false);
                    Ok(Some(()))
                }
                _ => Err(Unfit { rule: "type", expected: "object" }),
            },
            Kind::Array(element) => match value {
                Value::Null => Ok(None),
                Value::Array(elements) if elements.is_empty() => Ok(None),
                Value::Array(elements) => {
                    self.array(element, elements);
                    Ok(Some(()))
                }
                _ => Err(Unfit { rule: "type", expected: "array" }),
            },
            Kind::Json => Ok((*value != Value::Null).then(|| json::write_value(&mut self.out, value))),
            Kind::Integer(width) => {
                coerce::integer(value, *width).map(|number| number.map(|number| self.literal(&number.to_string())))
            }
            Kind::Float => coerce::float(value).map(|number| number.map(|literal| self.literal(&literal))),
            Kind::Boolean => {
                coerce::boolean(value).map(|flag| flag.map(|flag| self.literal(if flag { "true" } else { "false" })))
            }
        };
        match written {
            Ok(written) => written.is_some(),
            Err(unfit) => {
                self.unfit(&unfit, value);
                true
            }
        }
    }

    /// Elements that count as null stay, as null, so that the others keep their places.
    fn array(&mut self, kind: &'s Kind, elements: &[Value<'a>]) {
        self.out.push(b'[');
        for (index, element) in elements.iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.path.push(Step::Element(index));
            if !self.value(kind, element) {
                let empty = matches!((kind, element), (Kind::Array(_), Value::Array(_)));
                self.literal(if empty { "[]" } else { "null" });
            }
            self.path.pop();
        }
        self.out.push(b']');
    }

    fn inspect(&mut self, indicators: &[crate::indicator::Indicator], validate: Option<&Validate>, text: Text<'a>) {
        let text: Cow<'a, str> = text.decode();
        if let Some(rule) = validate.filter(|rule| !rule.holds(&text)) {
            self.problems.add(self.path.exact(None), rule.rule(), rule.expected(), problem::text_of(&text));
        }
        for indicator in indicators {
            self.indicators.add(*indicator, text.clone());
        }
    }

    fn instant(&mut self, instant: Timestamp, event_time: bool, value: &Value<'a>) {
        if event_time && timestamp::unix_nano(instant).is_none() {
            self.unfit(&Unfit { rule: "timestamp", expected: "an instant between 1677 and 2262" }, value);
        }
        if event_time {
            self.event_time.get_or_insert(instant);
        }
        self.out.push(b'"');
        timestamp::write_rfc3339(&mut self.out, instant);
        self.out.push(b'"');
    }

    fn unknown(&mut self, member: &Member<'a>, top: bool) {
        let name = member.key.decode();
        self.drift.add(self.path.general(&name));
        match self.options.unknown {
            Unknown::Keep if top && schema::is_reserved(&name) => {
                let found = problem::kind_of(&member.value);
                self.problems.add(
                    self.path.exact(Some(&name)),
                    "reserved",
                    "no field whose name begins with p_",
                    found,
                );
            }
            Unknown::Keep => {
                self.separate();
                json::write_text(&mut self.out, member.key);
                self.out.push(b':');
                json::write_value(&mut self.out, &member.value);
            }
            Unknown::Drop => {}
            Unknown::Reject => {
                let found = problem::kind_of(&member.value);
                self.problems.add(self.path.exact(Some(&name)), "unknown", "declared fields only", found);
            }
        }
    }

    /// Every sink's key comes from the event's uuid, so an event without one cannot be kept apart from others.
    fn row_id(&mut self, value: &Value<'a>) -> Option<RowId> {
        let uuid = value.get("uuid").and_then(Value::name).filter(|uuid| !uuid.is_empty());
        let uuid = self.frame.identity.map(Cow::Borrowed).or(uuid);
        if uuid.is_none() && self.problems.is_empty() {
            let found = value.get("uuid").map_or_else(|| "nothing".into(), problem::kind_of);
            self.problems.add("$.uuid".into(), "required", "a text that is not empty", found);
        }
        uuid.map(|uuid| RowId::new(self.frame.source, self.frame.log_type, &uuid))
    }

    fn unfit(&mut self, unfit: &Unfit, value: &Value<'a>) {
        self.problems.add(self.path.exact(None), unfit.rule, unfit.expected, problem::kind_of(value));
    }

    fn literal(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn separate(&mut self) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
    }

    /// Takes back the closing brace of the event's object and makes room for another field.
    fn reopen(&mut self) {
        self.out.pop();
        self.separate();
    }
}

/// The field that a key names, looked for from `next` on and then from the start.
fn position(fields: &[Field], key: Text<'_>, next: usize) -> Option<usize> {
    let (before, after) = fields.split_at(next.min(fields.len()));
    let is = |field: &Field| key.is(&field.name);
    after.iter().position(is).map(|at| next + at).or_else(|| before.iter().position(is))
}
