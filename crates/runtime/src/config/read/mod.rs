//! Nodes into types, with the place of every fault.
//!
//! A serde format of our own, because serde's usual road loses what a fault needs: where a value was written, which keys
//! a map could have had, and that a variable's text is a number only if a number is wanted. Unknown keys are found here,
//! against the list of fields that serde gives, and so also in types that would ignore them.

mod containers;

use super::fault::{self, Fault, MAX_FAULTS};
use super::tree::{Node, Origin, Value};
use super::yaml;
use containers::{Choice, Entries, Items};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Unexpected, Visitor};
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    pub(super) faults: Vec<Fault>,
    /// Paths already reported, left out when their section is read again.
    reported: HashSet<String>,
}

/// Reads a type from `node`; `None` if it has faults that keep it from being read at all.
pub(super) fn read<T: DeserializeOwned>(node: &Node, path: &str, problems: &RefCell<Problems>) -> Option<T> {
    // Each turn reports at least one more path, or ends.
    for _ in 0..=MAX_FAULTS {
        let error = match T::deserialize(Cursor { node, path: path.to_owned(), problems }) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let (origin, path) = error.place.unwrap_or_else(|| (node.origin.clone(), path.to_owned()));
        let mut problems = problems.borrow_mut();
        let missing = error.missing.map(|key| fault::join(&path, key));
        if missing.is_some_and(|path| problems.reported.contains(&path)) {
            // Its value was refused: it is not missing.
            return None;
        }
        let fault = Fault::new(&origin, &path, error.reason);
        // A faulty item of a list stands for the whole list: without it, the others' numbers would shift.
        let list = path.ends_with(']').then(|| path.split('[').next().unwrap_or_default().to_owned());
        if !problems.reported.insert(list.unwrap_or(path)) {
            return None;
        }
        problems.faults.push(fault);
    }
    None
}

/// A node to read, and where it stands.
struct Cursor<'a> {
    node: &'a Node,
    path: String,
    problems: &'a RefCell<Problems>,
}

/// A fault on its way up; it gets its place from the innermost node it passes.
#[derive(Debug)]
pub(super) struct Error {
    place: Option<(Origin, String)>,
    missing: Option<&'static str>,
    reason: String,
}

impl<'a> Cursor<'a> {
    /// The cursor of a node below.
    fn at(&self, node: &'a Node, path: String) -> Cursor<'a> {
        Cursor { node, path, problems: self.problems }
    }

    /// Reads this node; what refuses its value after it was read gets its place too.
    fn read<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let Self { node, path, problems } = self;
        let outcome = seed.deserialize(Cursor { node, path: path.clone(), problems });
        Cursor { node, path, problems }.placed(outcome)
    }

    /// Runs a visitor and gives the error, if any, this node's place.
    fn placed<T>(&self, outcome: Result<T, Error>) -> Result<T, Error> {
        outcome.map_err(|mut error| {
            error.place.get_or_insert_with(|| (self.node.origin.clone(), self.path.clone()));
            error
        })
    }

    /// What the value itself says it is.
    fn visit<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visit_integer(*value, visitor),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(text) => visitor.visit_str(text),
            Value::Raw(text) => match yaml::parse_fragment(text, &self.node.origin).map(|node| node.value) {
                Some(Value::Null) => visitor.visit_unit(),
                Some(Value::Bool(value)) => visitor.visit_bool(value),
                Some(Value::Integer(value)) => visit_integer(value, visitor),
                Some(Value::Float(value)) => visitor.visit_f64(value),
                _ => visitor.visit_str(text),
            },
            Value::List(items) => visitor.visit_seq(Items::new(self, items)),
            Value::Map(entries) => visitor.visit_map(Entries::new(self, entries, None)),
        }
    }

    /// A map; nothing is an empty one (a section whose keys are all commented out).
    fn visit_map<'de, V: Visitor<'de>>(
        &self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::new(self, entries, known)),
            Value::Null => visitor.visit_map(Entries::new(self, &[], known)),
            _ => self.visit(visitor),
        }
    }
}

fn visit_integer<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Error> {
    match (u64::try_from(value), i64::try_from(value)) {
        (Ok(value), _) => visitor.visit_u64(value),
        (_, Ok(value)) => visitor.visit_i64(value),
        _ => Err(de::Error::custom("a number out of all bounds")),
    }
}

/// Methods whose type decides how a variable's text is read, and otherwise take the value as it is.
macro_rules! read_raw {
    ($($method:ident => $parsed:ty, $visit:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let outcome = match &self.node.value {
                Value::Raw(text) => match text.trim().parse::<$parsed>() {
                    Ok(value) => $visit(value, visitor),
                    Err(_) => Err(de::Error::invalid_type(Unexpected::Str(text), &visitor)),
                },
                _ => self.visit(visitor),
            };
            self.placed(outcome)
        }
    )*};
}

macro_rules! read_text {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let outcome = match &self.node.value {
                Value::Raw(text) => visitor.visit_str(text),
                _ => self.visit(visitor),
            };
            self.placed(outcome)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Cursor<'_> {
    type Error = Error;

    read_raw! {
        deserialize_bool => bool, |value, visitor: V| visitor.visit_bool(value);
        deserialize_i8 => i128, visit_integer;
        deserialize_i16 => i128, visit_integer;
        deserialize_i32 => i128, visit_integer;
        deserialize_i64 => i128, visit_integer;
        deserialize_u8 => i128, visit_integer;
        deserialize_u16 => i128, visit_integer;
        deserialize_u32 => i128, visit_integer;
        deserialize_u64 => i128, visit_integer;
        deserialize_f32 => f64, |value, visitor: V| visitor.visit_f64(value);
        deserialize_f64 => f64, |value, visitor: V| visitor.visit_f64(value);
    }

    read_text! { deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(self.visit(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null => visitor.visit_none(),
            Value::Raw(text) if matches!(text.as_str(), "null" | "~") => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Raw(text) = &self.node.value else { return self.placed(self.visit(visitor)) };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let items: Vec<Node> =
            parts.map(|part| Node { value: Value::Raw(part.to_owned()), origin: self.node.origin.clone() }).collect();
        self.placed(visitor.visit_seq(Items::new(&self, &items)))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.placed(self.visit_map(None, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.placed(self.visit_map(Some(fields), visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let outcome = match &self.node.value {
            Value::Raw(text) | Value::Text(text) => visitor.visit_enum(Choice::unit(text)),
            Value::Map(entries) if entries.len() == 1 => {
                let (name, content) = &entries[0];
                visitor.visit_enum(Choice::with_content(&self, name, content))
            }
            _ => self.visit(visitor),
        };
        self.placed(outcome)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { unit unit_struct }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { place: None, missing: None, reason: reason.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::custom(format_args!("expected {}, found {}", Wanted(wanted), kind(found)))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn de::Expected) -> Self {
        Self::invalid_type(found, wanted)
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        match fault::nearest(variant, known.iter().copied()) {
            Some(near) => Self::custom(format_args!("expected one of {}; did you mean {near}?", fault::list(known))),
            None => Self::custom(format_args!("expected one of {}", fault::list(known))),
        }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format_args!("unknown key {field}, known here: {}", fault::list(known)))
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::custom(format_args!("{field} is missing")) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Error {}

/// What was wanted, without Rust's words for it.
struct Wanted<'a>(&'a dyn de::Expected);

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.to_string();
        match words.as_str() {
            "i8" | "i16" | "i32" | "i64" => f.write_str("a whole number"),
            "u8" | "u16" | "u32" | "u64" | "usize" => write!(f, "a whole number from 0 ({words})"),
            "f32" | "f64" => f.write_str("a number"),
            "a boolean" => f.write_str("true or false"),
            _ if words.starts_with("struct ") => f.write_str("a map of keys"),
            _ if words.starts_with("enum ") => f.write_str("one of a few words"),
            _ => f.write_str(&words),
        }
    }
}

/// What was found. Never text itself: it might be a secret in the wrong place.
fn kind(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(value) => value.to_string(),
        Unexpected::Signed(value) => value.to_string(),
        Unexpected::Float(value) => value.to_string(),
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "text".into(),
        _ => "something else".into(),
    }
}
