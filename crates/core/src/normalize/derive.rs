//! Values that a schema takes from elsewhere in the event: renamed, copied, joined, split.
//!
//! Panther runs its transformations in this order, so each may read what the ones before it have made; a rank keeps fields that
//! read each other from turning in a circle.

use std::borrow::Cow;

use bumpalo::Bump;

use super::coerce;
use crate::{
    json::{self, Member, Text, Value},
    schema::{Field, Kind, Object, Pointer, Source},
};

/// The event in hand, as transformations see it.
pub(super) struct Origin<'s, 'a> {
    root: &'s Object,
    /// Holds texts that no event has, as long as the events.
    texts: &'a Bump,
    /// Empty if no path leads into it.
    event: Vec<Member<'a>>,
}

impl<'s, 'a> Origin<'s, 'a> {
    pub(super) fn new(root: &'s Object, texts: &'a Bump) -> Self {
        Self { root, texts, event: Vec::new() }
    }

    /// Turns to another event.
    pub(super) fn turn_to(&mut self, members: &[Member<'a>]) {
        self.event.clear();
        self.event.extend_from_slice(members);
    }

    /// What `source` gives for a field of the object that has these members.
    pub(super) fn value(&self, source: &Source, members: &[Member<'a>]) -> Option<Value<'a>> {
        match source {
            Source::Rename(from) => set(members, from).cloned(),
            Source::Copy(from) => self.at(from, source),
            Source::Concat { paths, separator } => {
                let values: Vec<_> = paths.iter().filter_map(|path| self.at(path, source)).collect();
                let texts: Vec<_> = values.iter().filter_map(text).collect();
                (!texts.is_empty()).then(|| Value::String(self.text(&texts.join(separator))))
            }
            Source::Split { from, separator, index } => {
                let whole = self.at(from, source)?;
                let part = text(&whole)?.split(separator.as_str()).nth(*index).map(str::to_owned)?;
                Some(Value::String(self.text(&part)))
            }
        }
    }

    /// The JSON that a text holds, nested at most `depth` levels.
    pub(super) fn unpack(&self, text: Text<'a>, depth: usize) -> Result<Value<'a>, json::Error> {
        let inside = match text.decode() {
            Cow::Borrowed(inside) => inside,
            Cow::Owned(inside) => self.texts.alloc_str(&inside),
        };
        json::parse_within(inside, depth)
    }

    fn at(&self, path: &Pointer, reader: &Source) -> Option<Value<'a>> {
        self.follow(Some(self.root), &self.event, &path.0, reader)
    }

    fn follow(
        &self,
        object: Option<&Object>,
        members: &[Member<'a>],
        path: &[String],
        reader: &Source,
    ) -> Option<Value<'a>> {
        let [key, rest @ ..] = path else { return None };
        let field = object.and_then(|object| object.field(key));
        let value = if let Some(value) = set(members, key) {
            value.clone()
        } else {
            let source = field?.source.as_ref().filter(|source| rank(source) < rank(reader))?;
            self.value(source, members)?
        };
        if rest.is_empty() {
            return Some(value);
        }
        let object = field.and_then(inner);
        match value {
            Value::Object(members) => self.follow(object, &members, rest, reader),
            Value::String(text) => match self.unpack(text, json::MAX_DEPTH).ok()? {
                Value::Object(members) => self.follow(object, &members, rest, reader),
                _ => None,
            },
            _ => None,
        }
    }

    /// A text that the event does not have.
    pub(super) fn text(&self, text: &str) -> Text<'a> {
        let mut quoted = Vec::with_capacity(text.len() + 2);
        json::write_string(&mut quoted, text);
        let quoted = String::from_utf8(quoted).expect("a text stays UTF-8 when it is quoted");
        Text::written(self.texts.alloc_str(&quoted[1..quoted.len() - 1]))
    }
}

/// The member `key`, unless it is null.
pub(super) fn set<'m, 'a>(members: &'m [Member<'a>], key: &str) -> Option<&'m Value<'a>> {
    let member = members.iter().find(|member| member.key.is(key))?;
    Some(&member.value).filter(|value| **value != Value::Null)
}

/// How many levels of arrays and objects a value has.
pub(super) fn depth(value: &Value<'_>) -> usize {
    match value {
        Value::Array(elements) => 1 + elements.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.iter().map(|member| depth(&member.value)).max().unwrap_or(0),
        _ => 0,
    }
}

fn text<'a>(value: &Value<'a>) -> Option<Cow<'a, str>> {
    coerce::string(value).ok().flatten().map(Text::decode)
}

fn inner(field: &Field) -> Option<&Object> {
    match &field.kind {
        Kind::Object(object) => Some(object),
        Kind::Embedded(kind) => match kind.as_ref() {
            Kind::Object(object) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

const fn rank(source: &Source) -> u8 {
    match source {
        Source::Rename(_) => 0,
        Source::Copy(_) => 1,
        Source::Concat { .. } => 2,
        Source::Split { .. } => 3,
    }
}
