//! YAML into nodes that know their lines.

use super::fault::Fault;
use super::tree::{Node, Origin, Value};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;
use std::fmt;
use std::sync::Arc;

/// Reads a whole document. Each key counts once; the parser bounds depth, aliases and nodes.
pub(super) fn parse(name: &Arc<str>, text: &str) -> Result<Node, Fault> {
    let place = |line| Origin::File(name.clone(), line);
    match serde_saphyr::from_str::<Option<Spanned<Written>>>(text) {
        Ok(None) => Ok(Node { value: Value::Null, origin: place(1) }),
        Ok(Some(root)) => Ok(node(root.value, root.referenced.line(), &place)),
        Err(error) => {
            let line = error.location().map_or(0, |location| location.line());
            // The first line: the rest is a picture of the text, which a fault has no need to repeat.
            let reason = error.without_snippet().to_string();
            Err(Fault::new(&place(line), "", reason.lines().next().unwrap_or("no YAML").to_owned()))
        }
    }
}

/// Reads a fragment, as one writes in a variable: its nodes all have the fragment's origin.
pub(super) fn parse_fragment(text: &str, origin: &Origin) -> Option<Node> {
    let written = serde_saphyr::from_str::<Written>(text).ok()?;
    Some(node(written, 0, &|_| origin.clone()))
}

/// What the parser gives: values, keys and list items with their lines.
enum Written {
    Scalar(Value),
    List(Vec<(u64, Written)>),
    Map(Vec<(String, u64, Written)>),
}

fn node(written: Written, line: u64, place: &impl Fn(u64) -> Origin) -> Node {
    let value = match written {
        Written::Scalar(value) => value,
        Written::List(items) => Value::List(items.into_iter().map(|(line, item)| node(item, line, place)).collect()),
        Written::Map(entries) => {
            Value::Map(entries.into_iter().map(|(key, line, entry)| (key, node(entry, line, place))).collect())
        }
    };
    Node { value, origin: place(line) }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Written, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Written, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Bool(value)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Integer(value.into())))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Integer(value.into())))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Float(value)))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Written, E> {
        Ok(Written::Scalar(Value::Text(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Written, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Written>>()? {
            items.push((item.referenced.line(), item.value));
        }
        Ok(Written::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            entries.push((key.value, key.referenced.line(), map.next_value::<Written>()?));
        }
        Ok(Written::Map(entries))
    }
}
