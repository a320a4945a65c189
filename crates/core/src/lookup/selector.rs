//! Selectors: which values of an event are looked up.
//!
//! Panther's forms: a field (`item_uuid`), a dotted path (`user.uuid`), a path of names, indexes and `[*]`
//! (`$.tags[*].id`), and a collected field (`p_any_ip_addresses`). The searches and filters of such paths are refused when a definition is
//! loaded: they would look at every value of every event.

use crate::{
    indicator::Column,
    json::{self, Value},
    schema,
};

/// The most steps of a path, as deep as JSON may be nested.
const MAX_STEPS: usize = json::MAX_DEPTH;

/// A selector, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    key: Vec<u8>,
    target: Target,
}

/// What a selector points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A place in the event. An array on the way, or at the end, means each of its elements.
    Field(Vec<Step>),
    /// What the event's indicators collect in a `p_any_*` field.
    Column(Column),
}

/// One step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a member of an object.
    Key(String),
    /// Into every element of an array.
    Each,
    /// Into one element of an array, from 0.
    At(usize),
}

/// Why a text is no selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Nothing.
    #[error("is empty")]
    Empty,
    /// A name is missing: a dot too many.
    #[error("lacks a name after a dot; searches with .. are not supported")]
    NoName,
    /// Something in brackets that is no index, name or `*`.
    #[error("has brackets with something else than an index, a quoted name or *")]
    Brackets,
    /// `*` in the place of a name.
    #[error("has * for a name; only [*], every element of an array, is supported")]
    Wildcard,
    /// A standard field that is not collected from the event.
    #[error("is a standard field that cannot be looked up: use a field of the event or p_any_…")]
    Standard,
    /// Too many steps.
    #[error("has more than {MAX_STEPS} steps")]
    TooLong,
}

impl Selector {
    /// Reads a selector as it stands in a definition.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let path = text.strip_prefix('$').map_or(text, |path| path.strip_prefix('.').unwrap_or(path));
        if path.is_empty() {
            return Err(Invalid::Empty);
        }
        if let Some(column) = Column::named(path) {
            return Ok(Self::new(path.into(), Target::Column(column)));
        }
        let steps = steps(path)?;
        match steps.first() {
            Some(Step::Key(first)) if schema::is_reserved(first) => Err(Invalid::Standard),
            _ => Ok(Self::new(path.into(), Target::Field(steps))),
        }
    }

    /// A selector for a place in an event, named by its dotted path. Steps into arrays leave no trace in the name.
    pub(super) fn of_field(steps: Vec<Step>) -> Self {
        let names: Vec<&str> = steps.iter().filter_map(Step::key).collect();
        Self::new(names.join("."), Target::Field(steps))
    }

    fn new(name: String, target: Target) -> Self {
        let mut key = Vec::new();
        json::write_string(&mut key, &name);
        key.push(b':');
        Self { name, key, target }
    }

    /// Its name in a record: the text without the leading `$.`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name as a JSON key: `"user.uuid":`.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it is a field of the event's top level.
    pub(super) fn is_bare(&self) -> bool {
        matches!(&self.target, Target::Field(steps) if steps.len() == 1)
    }

    /// What it points at.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }
}

impl Step {
    fn key(&self) -> Option<&str> {
        match self {
            Self::Key(name) => Some(name),
            Self::Each | Self::At(_) => None,
        }
    }
}

/// Hands every value at `path` to `found`, in the event's order.
pub(super) fn each_value<'v, 'a>(value: &'v Value<'a>, path: &[Step], found: &mut impl FnMut(&'v Value<'a>)) {
    match (value, path) {
        (Value::Array(elements), [Step::At(index), rest @ ..]) => {
            if let Some(element) = elements.get(*index) {
                each_value(element, rest, found);
            }
        }
        (Value::Array(elements), _) => {
            let rest = if path.first() == Some(&Step::Each) { &path[1..] } else { path };
            for element in elements {
                each_value(element, rest, found);
            }
        }
        (_, [Step::Key(key), rest @ ..]) => {
            if let Some(inner) = value.get(key) {
                each_value(inner, rest, found);
            }
        }
        (_, [_, ..]) => {}
        (_, []) => found(value),
    }
}

/// Whether the values at `path` are several: an array lies on the way.
pub(super) fn is_several(value: &Value<'_>, path: &[Step]) -> bool {
    match (value, path) {
        (Value::Array(elements), [Step::At(index), rest @ ..]) => {
            elements.get(*index).is_some_and(|element| is_several(element, rest))
        }
        (Value::Array(_), _) => true,
        (_, [Step::Key(key), rest @ ..]) => value.get(key).is_some_and(|inner| is_several(inner, rest)),
        (_, _) => false,
    }
}

fn steps(path: &str) -> Result<Vec<Step>, Invalid> {
    let mut steps = Vec::new();
    let mut rest = path;
    let mut name_expected = !rest.starts_with('[');
    while !rest.is_empty() || name_expected {
        if steps.len() == MAX_STEPS {
            return Err(Invalid::TooLong);
        }
        let step;
        if name_expected {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            step = match &rest[..end] {
                "" => return Err(Invalid::NoName),
                "*" => return Err(Invalid::Wildcard),
                name => Step::Key(name.into()),
            };
            rest = &rest[end..];
        } else {
            (step, rest) = brackets(rest)?;
        }
        steps.push(step);
        name_expected = rest.starts_with('.');
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    Ok(steps)
}

/// `[*]`, `[0]`, `['name']` or `["name"]`, and what follows.
fn brackets(text: &str) -> Result<(Step, &str), Invalid> {
    let inner = text.strip_prefix('[').ok_or(Invalid::Brackets)?;
    for quote in ['\'', '"'] {
        if let Some(quoted) = inner.strip_prefix(quote) {
            let (name, rest) = quoted.split_once(quote).ok_or(Invalid::Brackets)?;
            let rest = rest.strip_prefix(']').ok_or(Invalid::Brackets)?;
            return Ok((Step::Key(name.into()), rest));
        }
    }
    let (inner, rest) = inner.split_once(']').ok_or(Invalid::Brackets)?;
    let step = if inner == "*" { Step::Each } else { Step::At(inner.parse().map_err(|_| Invalid::Brackets)?) };
    Ok((step, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Step {
        Step::Key(name.into())
    }

    #[test]
    fn panthers_forms_are_read() {
        for (text, name, steps) in [
            ("item_uuid", "item_uuid", vec![key("item_uuid")]),
            ("user.uuid", "user.uuid", vec![key("user"), key("uuid")]),
            ("$.client.ip_address", "client.ip_address", vec![key("client"), key("ip_address")]),
            ("$.tags[*].id", "tags[*].id", vec![key("tags"), Step::Each, key("id")]),
            ("$.tags[0]", "tags[0]", vec![key("tags"), Step::At(0)]),
            ("$['a.b']['c']", "['a.b']['c']", vec![key("a.b"), key("c")]),
            ("$.a[\"b\"].c", "a[\"b\"].c", vec![key("a"), key("b"), key("c")]),
        ] {
            let selector = Selector::parse(text).unwrap();
            assert_eq!((selector.name(), selector.target()), (name, &Target::Field(steps)), "{text}");
        }
        let collected = Selector::parse("p_any_ip_addresses").unwrap();
        assert_eq!(collected.target(), &Target::Column(Column::IpAddresses));
        assert_eq!(collected.key(), b"\"p_any_ip_addresses\":");
    }

    #[test]
    fn whatever_else_is_refused_with_its_reason() {
        for (text, expect) in [
            ("", Invalid::Empty),
            ("$", Invalid::Empty),
            ("$.", Invalid::Empty),
            ("a.", Invalid::NoName),
            ("$..a", Invalid::NoName),
            ("a..b", Invalid::NoName),
            ("$.a.*", Invalid::Wildcard),
            ("a[", Invalid::Brackets),
            ("a[-1]", Invalid::Brackets),
            ("a[?(@.b)]", Invalid::Brackets),
            ("a['b]", Invalid::Brackets),
            ("a[0]b", Invalid::Brackets),
            ("p_source_id", Invalid::Standard),
            ("$.p_any_nonsense", Invalid::Standard),
        ] {
            assert_eq!(Selector::parse(text).unwrap_err(), expect, "{text}");
        }
        assert_eq!(Selector::parse(&"a.".repeat(MAX_STEPS + 1)).unwrap_err(), Invalid::TooLong);
    }
}
