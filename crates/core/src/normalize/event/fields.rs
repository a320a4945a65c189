//! The walk over an event's fields: each value checked against its declaration and written in one go.

use std::borrow::Cow;

use super::Walk;
use crate::{
    indicator::Indicator,
    json::{self, Member, Text, Value},
    normalize::{
        Unknown,
        coerce::{self, Unfit},
        derive,
        problem::{self, Step},
    },
    schema::{self, Field, Kind, Mask, Object, Source, Validate},
    timestamp::{self, Utc},
};

impl<'s, 'a> Walk<'s, 'a> {
    pub(super) fn object(&mut self, declared: &'s Object, members: &[Member<'a>], top: bool) {
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
        if self.schema.rewrites {
            unknown.retain(|member| !is_renamed(declared, &found, member.key));
        }
        self.out.push(b'{');
        for (field, value) in declared.fields.iter().zip(found) {
            let derived = match &field.source {
                Some(source) if !is_set(value) => self.origin.value(source, members),
                _ => None,
            };
            let value = derived.as_ref().or(value);
            if top && field.name == schema::ROW_KEY {
                self.uuid = value.and_then(name);
            }
            self.field(field, value);
        }
        for member in unknown {
            self.unknown(declared, member, top);
        }
        self.out.push(b'}');
    }

    fn field(&mut self, field: &'s Field, value: Option<&Value<'a>>) {
        let start = self.out.len();
        self.separate();
        self.out.extend_from_slice(&field.key);
        self.path.push(Step::Field(&field.name));
        let set = value.is_some_and(|value| self.fitting(field, value));
        if !set {
            self.out.truncate(start);
            if field.required {
                let found = value.map_or_else(|| "nothing".into(), problem::kind_of);
                self.problems.add(self.path.exact(None), "required", "a value", found);
            }
        }
        self.path.pop();
    }

    /// Writes a field's value as [`Self::value`] does, unless what was copied there nests too deep for a record.
    fn fitting(&mut self, field: &'s Field, value: &Value<'a>) -> bool {
        let too_deep =
            matches!(field.source, Some(Source::Copy(_))) && self.path.depth() + derive::depth(value) > json::MAX_DEPTH;
        if too_deep {
            let found = problem::kind_of(value);
            self.problems.add(self.path.exact(None), "depth", "less nesting", found);
        }
        too_deep || self.value(&field.kind, value)
    }

    /// Writes a value; says whether it counts as there. One that does not fit does: its problem is noted.
    pub(in crate::normalize) fn value(&mut self, kind: &'s Kind, value: &Value<'a>) -> bool {
        let written = match kind {
            Kind::String { indicators, validate, mask } => match coerce::string(value) {
                Ok(Some(text)) => {
                    for rule in validate {
                        self.validate(rule, mask.as_ref(), text, value);
                    }
                    self.text(indicators, mask.as_ref(), text);
                    Ok(Some(()))
                }
                other => other.map(|_| None),
            },
            Kind::Embedded(kind) => return self.embedded(kind, value),
            Kind::Timestamp { formats, event_time, .. } => coerce::instant(value, formats)
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
                self.drift.add_type(self.path.general(None), value);
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
                let empty = matches!(element, Value::Array(_));
                self.literal(if empty { "[]" } else { "null" });
            }
            self.path.pop();
        }
        self.out.push(b']');
    }

    /// A value, or a text that holds it. A text that holds a text stays as it is: else nobody could tell how often it was unpacked.
    fn embedded(&mut self, kind: &'s Kind, value: &Value<'a>) -> bool {
        let Value::String(text) = value else { return self.value(kind, value) };
        if text.raw().is_empty() {
            return false;
        }
        match self.origin.unpack(*text, json::MAX_DEPTH.saturating_sub(self.path.depth())) {
            Ok(Value::String(_)) => self.value(kind, value),
            Ok(inside) => self.value(kind, &inside),
            Err(_) => {
                self.drift.add_type(self.path.general(None), value);
                self.unfit(&Unfit { rule: "json", expected: "a text that holds JSON" }, value);
                true
            }
        }
    }

    pub(in crate::normalize) fn validate(
        &mut self,
        rule: &Validate,
        mask: Option<&Mask>,
        text: Text<'a>,
        value: &Value<'a>,
    ) {
        let text = text.decode();
        let masked = matches!(mask, Some(Mask::Redact { to }) if *to == text);
        if masked || rule.holds(&text) {
            return;
        }
        if matches!(rule, Validate::Allow(_)) {
            let shown = Some(text.as_ref()).filter(|_| mask.is_none());
            self.drift.add_value(self.path.general(None), shown, value);
        }
        self.problems.add(self.path.exact(None), rule.rule(), rule.expected(), problem::text_of(&text));
    }

    /// Writes a text, or what masks it: indicators see no more than the record.
    pub(in crate::normalize) fn text(&mut self, indicators: &[Indicator], mask: Option<&'s Mask>, text: Text<'a>) {
        let shown = match mask {
            Some(Mask::Redact { to }) => self.origin.text(to),
            None => text,
        };
        json::write_text(&mut self.out, shown);
        for indicator in indicators {
            self.indicators.add(*indicator, shown);
        }
    }

    pub(in crate::normalize) fn instant(&mut self, instant: Utc, event_time: bool, value: &Value<'a>) {
        if event_time {
            match instant.to_timestamp().filter(|time| timestamp::unix_nano(*time).is_some()) {
                Some(time) => _ = self.event_time.get_or_insert(time),
                None => self.unfit(&Unfit { rule: "timestamp", expected: "an instant between 1677 and 2262" }, value),
            }
        }
        self.out.push(b'"');
        timestamp::write_rfc3339(&mut self.out, instant);
        self.out.push(b'"');
    }

    fn unknown(&mut self, declared: &Object, member: &Member<'a>, top: bool) {
        let name = member.key.decode();
        // Who takes a part of it knows it.
        let known = declared.passages.iter().any(|passage| *passage == name);
        if !known {
            self.drift.add_unknown(self.path.general(Some(&name)), &member.value);
        }
        match self.unknown {
            Unknown::Drop => {}
            Unknown::Reject if !known => self.refuse(member, "unknown", "declared fields only"),
            Unknown::Keep | Unknown::Reject if top && schema::is_reserved(&name) => {
                self.refuse(member, "reserved", "no field whose name begins with p_");
            }
            Unknown::Keep | Unknown::Reject => {
                self.separate();
                json::write_text(&mut self.out, member.key);
                self.out.push(b':');
                json::write_value(&mut self.out, &member.value);
            }
        }
    }

    fn refuse(&mut self, member: &Member<'a>, rule: &str, expected: &str) {
        let found = problem::kind_of(&member.value);
        self.problems.add(self.path.exact(Some(&member.key.decode())), rule, expected, found);
    }

    pub(super) fn unfit(&mut self, unfit: &Unfit, value: &Value<'a>) {
        self.problems.add(self.path.exact(None), unfit.rule, unfit.expected, problem::kind_of(value));
    }

    fn literal(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    pub(super) fn separate(&mut self) {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
    }
}

/// Whether a renamed field takes its value from `key`: then it stands in the record under its new name only. One that is masked
/// takes the key in any case, so that what it hides is not kept as an unknown field.
fn is_renamed(declared: &Object, found: &[Option<&Value<'_>>], key: Text<'_>) -> bool {
    declared.fields.iter().zip(found).any(|(field, value)| {
        let masked = matches!(field.kind, Kind::String { mask: Some(_), .. });
        matches!(&field.source, Some(Source::Rename(from)) if (masked || !is_set(*value)) && key.is(from))
    })
}

fn is_set(value: Option<&Value<'_>>) -> bool {
    value.is_some_and(|value| *value != Value::Null)
}

/// The text of a string, or the literal of a number: what names a thing.
fn name<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    match value {
        Value::String(text) => Some(text.decode()),
        Value::Number(literal) => Some(Cow::Borrowed(literal)),
        _ => None,
    }
}

/// The field that a key names, looked for from `next` on and then from the start.
fn position(fields: &[Field], key: Text<'_>, next: usize) -> Option<usize> {
    let (before, after) = fields.split_at(next.min(fields.len()));
    let is = |field: &Field| key.is(&field.name);
    after.iter().position(is).map(|at| next + at).or_else(|| before.iter().position(is))
}
