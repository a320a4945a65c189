//! A schema laid out for one walk over an event: its fields in a row, parents before their members.
//!
//! A field is a number, so that what a walk notes of it has a fixed place; the members of an object stand together, and each knows
//! where the next one begins.

use super::{Field, Kind, Object};

/// The fields of a schema in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
}

/// A field.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) key: Key,
    pub(crate) required: bool,
    pub(crate) kind: NodeKind,
    pub(crate) parent: Option<usize>,
    /// Behind the last of its members: where the next field of its object begins.
    pub(crate) end: usize,
}

/// A key as it stands in compact JSON: `"name":`.
///
/// Finding the field that comes next is done for every field of every event, and mostly to learn that an optional one is absent: one
/// comparison of eight bytes tells, where comparing texts is a call.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    text: Box<[u8]>,
    /// The first eight bytes, or all if it is shorter, and ones where they count.
    head: u64,
    mask: u64,
}

/// What a field holds.
#[derive(Clone, Debug)]
pub(crate) enum NodeKind {
    /// An object, whose fields are the nodes behind it.
    Object,
    /// Anything else.
    Value(Kind),
}

impl Plan {
    pub(crate) fn new(root: &Object) -> Self {
        let mut plan = Self::default();
        plan.add(&root.fields, None);
        plan
    }

    fn add(&mut self, fields: &[Field], parent: Option<usize>) {
        for field in fields {
            let at = self.nodes.len();
            let (kind, members): (_, &[Field]) = match &field.kind {
                Kind::Object(object) => (NodeKind::Object, object.fields.as_slice()),
                other => (NodeKind::Value(other.clone()), &[]),
            };
            let key = Key::new(&field.key);
            self.nodes.push(Node {
                name: field.name.clone(),
                key,
                required: field.required,
                kind,
                parent,
                end: at + 1,
            });
            self.add(members, Some(at));
            self.nodes[at].end = self.nodes.len();
        }
    }

    /// How many fields there are, members of objects included.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// A field.
    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// Where the fields of an object stand, or those of the event itself.
    pub(crate) fn members(&self, object: Option<usize>) -> std::ops::Range<usize> {
        object.map_or(0..self.nodes.len(), |at| at + 1..self.nodes[at].end)
    }

    /// The field of an object that `text` begins with the key of, looked for from `next` on and then from the start: events mostly
    /// have their fields in the schema's order.
    #[inline]
    pub(crate) fn find(&self, object: Option<usize>, next: usize, text: &[u8]) -> Option<usize> {
        let members = self.members(object);
        self.search(next..members.end, text).or_else(|| self.search(members.start..next, text))
    }

    /// The field of an object with this name.
    pub(crate) fn named(&self, object: Option<usize>, name: &str) -> Option<usize> {
        self.siblings(self.members(object)).find(|at| self.nodes[*at].name == name)
    }

    fn search(&self, range: std::ops::Range<usize>, text: &[u8]) -> Option<usize> {
        self.siblings(range).find(|at| self.nodes[*at].key.begins(text))
    }

    fn siblings(&self, range: std::ops::Range<usize>) -> impl Iterator<Item = usize> {
        let first = Some(range.start).filter(|at| *at < range.end);
        std::iter::successors(first, move |at| Some(self.nodes[*at].end).filter(|next| *next < range.end))
    }
}

impl Key {
    fn new(text: &[u8]) -> Self {
        let (mut head, mut mask) = ([0; 8], [0; 8]);
        for (at, byte) in text.iter().take(8).enumerate() {
            head[at] = *byte;
            mask[at] = u8::MAX;
        }
        Self { text: text.into(), head: u64::from_le_bytes(head), mask: u64::from_le_bytes(mask) }
    }

    /// How many bytes it takes.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether `text` begins with it.
    #[inline]
    fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk() {
            Some(first) => (u64::from_le_bytes(*first) ^ self.head) & self.mask == 0 && text.starts_with(&self.text),
            None => text.starts_with(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_at_the_beginning_only_and_as_a_whole() {
        for key in ["\"a\":", "\"abcde\":", "\"abcdefgh\":"] {
            let compiled = Key::new(key.as_bytes());
            assert_eq!(compiled.len(), key.len());
            for text in [
                "",
                "\"a\":1",
                "\"a\":",
                "\"ab\":1",
                "\"abcde\":",
                "\"abcdefgh\":1}",
                "\"abcdefgi\":1}",
                " \"a\":1234567",
            ] {
                assert_eq!(compiled.begins(text.as_bytes()), text.starts_with(key), "{key} in {text}");
            }
        }
    }
}
