//! The quick way for events that are as their schema expects, which nearly all are.
//!
//! One walk over the text notes where each declared field's value stands; a second one, over the fields in the schema's order, checks
//! and writes. What stays as it is, is copied in runs as long as possible. Whatever is unusual (white space, a key that is escaped
//! or stands twice, a value that does not fit) ends it, and the plain way reads the event from its beginning and says what is wrong.
//! So this way decides nothing by itself: it gives the plain way's record, byte by byte, or none.

mod read;
mod run;

use std::ops::Range;

use jiff::Timestamp;

use self::{
    read::{Form, Places, Slot},
    run::Run,
};
use super::{
    Unknown, coerce,
    event::Walk,
    problem::{self, Path},
};
use crate::{
    indicator::Column,
    json::{self, Text, Value},
    lookup::{Join, Lookups, Step, Target},
    schema::{self, Kind, NodeKind, Plan, Schema},
    special::Marks,
};

/// What the quick way knows of a page before its first event.
pub(super) struct Quick<'s> {
    plan: &'s Plan,
    uuid: usize,
    /// For each selector of the lookup tables, where its value stands.
    selected: Vec<Selected>,
    places: Places,
}

#[derive(Clone, Copy)]
enum Selected {
    /// In a declared field.
    Field(usize),
    /// Inside a declared field, which only the plain way looks into.
    Inside(usize),
    /// Where the schema declares nothing.
    Undeclared,
    /// In a `p_any_*` field.
    Column(Column),
}

impl<'s> Quick<'s> {
    /// `None` if the schema asks for what only the plain way does: no uuid is declared, or values come from elsewhere in the event.
    pub(super) fn new(schema: &'s Schema, lookups: &Lookups) -> Option<Self> {
        let plan = Some(&schema.plan).filter(|_| !schema.rewrites)?;
        let uuid = plan.named(None, schema::ROW_KEY)?;
        let selectors = lookups.joins(&schema.log_type).iter().flat_map(Join::selectors);
        let selected = selectors.map(|selector| select(plan, selector.target())).collect();
        Some(Self { plan, uuid, selected, places: Places::default() })
    }

    /// Whether a table may have to look where only the plain way does.
    fn looks_beyond(&self) -> bool {
        self.selected.iter().any(|selected| match selected {
            Selected::Field(_) | Selected::Column(_) => false,
            Selected::Inside(node) => self.places.slots[*node].is_set(),
            Selected::Undeclared => !self.places.strangers.is_empty(),
        })
    }
}

fn select(plan: &Plan, target: &Target) -> Selected {
    let path = match target {
        Target::Field(path) => path,
        Target::Column(column) => return Selected::Column(*column),
    };
    let mut object = None;
    for (depth, step) in path.iter().enumerate() {
        let Step::Key(name) = step else { return object.map_or(Selected::Undeclared, Selected::Inside) };
        let Some(node) = plan.named(object, name) else { return Selected::Undeclared };
        match &plan.node(node).kind {
            NodeKind::Object => object = Some(node),
            NodeKind::Value(Kind::Json | Kind::Array(_)) => return Selected::Inside(node),
            NodeKind::Value(_) if depth + 1 == path.len() => return Selected::Field(node),
            NodeKind::Value(_) => return Selected::Inside(node),
        }
    }
    object.map_or(Selected::Undeclared, Selected::Inside)
}

impl<'s, 'a> Walk<'s, 'a> {
    /// Takes in the event that begins at byte `at` of `text` and says where it ends; `None` leaves no trace.
    /// `marks` are those of the text.
    pub(super) fn quick_event(
        &mut self,
        index: u32,
        quick: &mut Quick<'s>,
        text: &'a str,
        marks: &Marks,
        at: usize,
    ) -> Option<usize> {
        let end = quick.places.read(quick.plan, text, marks, at)?;
        if quick.looks_beyond() {
            return None;
        }
        let start = self.out.len();
        self.indicators.clear();
        self.event_time = None;
        let written = self.quick_record(quick, text, at);
        if !self.problems.is_empty() {
            // The plain way says them again, and others.
            self.problems.take();
        }
        let Some((row_id, event_time)) = written else {
            self.out.truncate(start);
            return None;
        };
        self.quick_drift(quick, text);
        self.finish_event(index, row_id, event_time, start);
        Some(end)
    }

    fn quick_record(&mut self, quick: &Quick<'s>, text: &'a str, at: usize) -> Option<(Range<usize>, Timestamp)> {
        let uuid = quick.places.slots[quick.uuid].scalar(text)?.name().filter(|uuid| !uuid.is_empty())?;
        let row_id = self.frame.row_ids.of(uuid.as_bytes());
        let mut run = Run::new(text, at);
        self.quick_members(quick, None, text, &mut run)?;
        run.flush(&mut self.out);
        if !self.problems.is_empty() {
            return None;
        }
        let event_time = self.event_time.unwrap_or(self.frame.now);
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        let row_id = self.frame.write(&mut self.out, &row_id, event_time);
        self.indicators.write(&mut self.out);
        let (lookups, indicators, folded) = (self.lookups, &mut self.indicators, &mut self.folded);
        lookups.write_each(&mut self.out, self.frame.log_type, |out, number, join, _| match quick.selected[number] {
            Selected::Field(node) => {
                let slot = quick.places.slots[node];
                let value = slot.scalar(text).filter(|_| slot.is_set());
                let key = value.as_ref().and_then(Value::name);
                key.is_some_and(|key| lookups.write_row(out, join, &key, text[slot.range()].as_bytes(), folded))
            }
            Selected::Column(column) => lookups.write_rows(out, join, indicators.of(column), folded),
            Selected::Inside(_) | Selected::Undeclared => false,
        });
        self.out.push(b'}');
        Some((row_id, event_time))
    }

    fn quick_members(
        &mut self,
        quick: &Quick<'s>,
        object: Option<usize>,
        text: &'a str,
        run: &mut Run<'a>,
    ) -> Option<()> {
        let members = quick.plan.members(object);
        let mut at = members.start;
        while at < members.end {
            let node = quick.plan.node(at);
            let slot = quick.places.slots[at];
            if node.is_verbatim && slot.is_text() {
                run.member(&mut self.out, slot.member());
            } else if slot.is_set() {
                self.quick_field(quick, at, slot, text, run)?;
            } else if node.required {
                return None;
            }
            at = node.end;
        }
        for stranger in quick.places.strangers.iter().filter(|stranger| stranger.object == object) {
            match self.unknown {
                Unknown::Keep if object.is_none() && schema::is_reserved(stranger.name(text)) => return None,
                Unknown::Keep => run.member(&mut self.out, stranger.start..stranger.end),
                Unknown::Drop => {}
                Unknown::Reject => return None,
            }
        }
        Some(())
    }

    /// A field that is not just copied. Apart, so that the loop over those that are stays small.
    #[inline(never)]
    fn quick_field(
        &mut self,
        quick: &Quick<'s>,
        at: usize,
        slot: Slot,
        text: &'a str,
        run: &mut Run<'a>,
    ) -> Option<()> {
        let node = quick.plan.node(at);
        match &node.kind {
            NodeKind::Object if slot.form == Form::Object => {
                let range = slot.range();
                run.open(&mut self.out, slot.member().start..range.start + 1);
                self.quick_members(quick, Some(at), text, run)?;
                run.close(&mut self.out, range.end - 1);
            }
            NodeKind::Object => return None,
            NodeKind::Value(kind) if stands(kind, slot, text) => run.member(&mut self.out, slot.member()),
            NodeKind::Value(Kind::String { indicators, validate, .. }) => {
                let value = if slot.is_text() {
                    run.member(&mut self.out, slot.member());
                    slot.text(text)
                } else {
                    let value = coerce::string(&slot.scalar(text)?).ok()??;
                    run.interrupt(&mut self.out, slot.key());
                    json::write_text(&mut self.out, value);
                    value
                };
                if !validate.iter().all(|rule| rule.holds(&value.decode())) {
                    return None;
                }
                for indicator in indicators {
                    self.indicators.add(*indicator, value);
                }
            }
            NodeKind::Value(Kind::Timestamp { formats, event_time, .. }) => {
                let value = slot.scalar(text)?;
                match coerce::instant(&value, formats).ok()? {
                    Some(instant) => {
                        run.interrupt(&mut self.out, slot.key());
                        self.instant(instant, *event_time, &value);
                    }
                    None if node.required => return None,
                    None => {}
                }
            }
            NodeKind::Value(kind) => {
                let value = match slot.scalar(text) {
                    Some(value) => value,
                    None => json::parse(&text.as_bytes()[slot.range()]).ok()?,
                };
                let before = run.mark(&mut self.out);
                run.interrupt(&mut self.out, slot.key());
                let drift = std::mem::take(&mut self.drift);
                let set = self.value(kind, &value);
                if !std::mem::replace(&mut self.drift, drift).is_empty() {
                    // The plain way notes it.
                    return None;
                }
                if !set {
                    if node.required {
                        return None;
                    }
                    run.back(&mut self.out, before);
                }
            }
        }
        Some(())
    }

    fn quick_drift(&mut self, quick: &Quick<'s>, text: &str) {
        for stranger in &quick.places.strangers {
            let mut steps: Vec<usize> =
                std::iter::successors(stranger.object, |node| quick.plan.node(*node).parent).collect();
            steps.reverse();
            let mut path = Path::default();
            for node in steps {
                path.push(problem::Step::Field(&quick.plan.node(node).name));
            }
            // It was read before, as a part of its event.
            if let Ok(value) = json::parse(&text.as_bytes()[stranger.value()]) {
                self.drift.add_unknown(path.general(Some(stranger.name(text))), &value);
            }
        }
    }
}

/// Whether the record has a value as the event has it, and nothing else comes of it.
fn stands(kind: &Kind, slot: Slot, text: &str) -> bool {
    match (kind, slot.form) {
        (Kind::Json, _) | (Kind::Boolean, Form::True | Form::False) => true,
        (Kind::Float, Form::Number) => coerce::is_finite(&text[slot.range()]),
        (Kind::Integer(width), Form::Number) => coerce::is_written_so(&text[slot.range()], *width),
        _ => false,
    }
}

impl Slot {
    /// The value, unless it is an array or an object.
    fn scalar(self, text: &str) -> Option<Value<'_>> {
        Some(match self.form {
            Form::Absent | Form::Null => Value::Null,
            Form::True => Value::Bool(true),
            Form::False => Value::Bool(false),
            Form::Number => Value::Number(&text[self.range()]),
            Form::Plain | Form::Escaped => Value::String(self.text(text)),
            Form::Array | Form::Object => return None,
        })
    }

    /// The value, which must be a text.
    fn text(self, text: &str) -> Text<'_> {
        let Range { start, end } = self.range();
        Text::from_raw(&text[start + 1..end - 1], self.form == Form::Escaped)
    }
}

#[cfg(test)]
mod tests;
