//! Lists, maps and enums of nodes, as serde walks them.

use super::{Cursor, Error};
use crate::config::fault::{self, Fault};
use crate::config::tree::{Node, Value};
use serde::de::value::{StrDeserializer, UnitDeserializer};
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor};

/// The items of a list.
pub(super) struct Items<'a> {
    list: &'a Cursor<'a>,
    items: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'a> Items<'a> {
    pub(super) fn new(list: &'a Cursor<'a>, items: &'a [Node]) -> Self {
        Self { list, items: items.iter().enumerate() }
    }
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        let path = format!("{}[{index}]", self.list.path);
        self.list.at(node, path).read(seed).map(Some)
    }
}

/// The entries of a map. Where the known keys are given, others are reported and left out.
pub(super) struct Entries<'a> {
    map: &'a Cursor<'a>,
    left: std::slice::Iter<'a, (String, Node)>,
    known: Option<&'static [&'static str]>,
    value: Option<(String, &'a Node)>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(
        map: &'a Cursor<'a>,
        entries: &'a [(String, Node)],
        known: Option<&'static [&'static str]>,
    ) -> Self {
        Self { map, left: entries.iter(), known, value: None }
    }

    /// Whether an entry is to be left out, after reporting it if that is due.
    fn leave_out(&self, key: &str, path: &str, node: &Node) -> bool {
        let mut problems = self.map.problems.borrow_mut();
        if problems.reported.contains(path) {
            return true;
        }
        let Some(known) = self.known.filter(|known| !known.contains(&key)) else { return false };
        problems.reported.insert(path.to_owned());
        problems.faults.push(Fault::unknown_key(&node.origin, &self.map.path, key, known));
        true
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        while let Some((key, node)) = self.left.next() {
            let path = fault::join(&self.map.path, key);
            if self.leave_out(key, &path, node) {
                continue;
            }
            self.value = Some((path, node));
            return seed.deserialize(StrDeserializer::<Error>::new(key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let (path, node) = self.value.take().expect("serde asks for a value after its key");
        self.map.at(node, path).read(seed)
    }
}

/// One variant of an enum: a word, or a word with content.
pub(super) struct Choice<'a> {
    name: &'a str,
    content: Option<Cursor<'a>>,
}

impl<'a> Choice<'a> {
    pub(super) fn unit(name: &'a str) -> Self {
        Self { name, content: None }
    }

    pub(super) fn with_content(at: &Cursor<'a>, name: &'a str, node: &'a Node) -> Self {
        let path = fault::join(&at.path, name);
        Self { name, content: Some(at.at(node, path)) }
    }
}

impl<'de> EnumAccess<'de> for Choice<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match self.content {
            Some(content) if content.node.value != Value::Null => {
                content.placed(Err(de::Error::custom("this word stands alone")))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        match self.content {
            Some(content) => content.read(seed),
            None => seed.deserialize(UnitDeserializer::new()),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Some(content) => de::Deserializer::deserialize_seq(content, visitor),
            None => Err(de::Error::custom("this word needs a list")),
        }
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        match self.content {
            Some(content) => de::Deserializer::deserialize_struct(content, "", fields, visitor),
            None => Err(de::Error::custom("this word needs a map of keys")),
        }
    }
}
