//! A schema laid out for one walk over an event: its fields in a row, parents before their members.
//!
//! A field is a number, so that what a walk notes of it has a fixed place; the members of an object stand together, and each knows
//! where the next one begins.

use super::{Field, Kind, Object};

/// The fields of a schema in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    nodes: Vec<Node>,
    /// The fields of the event itself.
    members: Vec<Member>,
}

/// A field.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) required: bool,
    /// Whether a text is written as it stands and nothing else comes of it, which is so for most fields.
    pub(crate) is_verbatim: bool,
    pub(crate) kind: NodeKind,
    pub(crate) parent: Option<usize>,
    /// Behind the last of its members: where the next field of its object begins.
    pub(crate) end: usize,
    /// Its fields, if it is an object.
    members: Vec<Member>,
}

/// A field as its object finds it.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    key: Key,
    pub(crate) node: usize,
    pub(crate) is_object: bool,
}

/// A key as it stands in compact JSON: `"name":`.
///
/// Finding the field that comes next is done for every field of every event: a few comparisons of eight bytes tell, where comparing
/// texts is a call.
#[derive(Clone, Debug)]
struct Key {
    text: Box<[u8]>,
    /// Its first bytes, and ones where they count.
    words: [u64; WORDS],
    masks: [u64; WORDS],
}

/// Keys of up to 24 bytes, which nearly all have, are compared as words alone.
const WORDS: usize = 3;

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
        plan.members = plan.add(&root.fields, None);
        plan
    }

    fn add(&mut self, fields: &[Field], parent: Option<usize>) -> Vec<Member> {
        let mut added = Vec::with_capacity(fields.len());
        for field in fields {
            let at = self.nodes.len();
            let is_object = matches!(field.kind, Kind::Object(_));
            added.push(Member { key: Key::new(&field.key), node: at, is_object });
            let (kind, members): (_, &[Field]) = match &field.kind {
                Kind::Object(object) => (NodeKind::Object, object.fields.as_slice()),
                other => (NodeKind::Value(other.clone()), &[]),
            };
            self.nodes.push(Node {
                name: field.name.clone(),
                required: field.required,
                is_verbatim: is_verbatim(&field.kind),
                kind,
                parent,
                end: at + 1,
                members: Vec::new(),
            });
            self.nodes[at].members = self.add(members, Some(at));
            self.nodes[at].end = self.nodes.len();
        }
        added
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

    /// The fields of an object, or those of the event itself, by their keys.
    pub(crate) fn fields(&self, object: Option<usize>) -> &[Member] {
        object.map_or(&self.members, |at| &self.nodes[at].members)
    }

    /// The field of an object with this name.
    pub(crate) fn named(&self, object: Option<usize>, name: &str) -> Option<usize> {
        self.fields(object).iter().map(|member| member.node).find(|at| self.nodes[*at].name == name)
    }
}

fn is_verbatim(kind: &Kind) -> bool {
    match kind {
        Kind::Json => true,
        Kind::String { indicators, validate, mask } => indicators.is_empty() && validate.is_empty() && mask.is_none(),
        _ => false,
    }
}

/// Which of an object's fields `text` begins with the key of: the one numbered `next`, as mostly, since events have their fields in
/// the schema's order, or else another.
#[inline]
pub(crate) fn find(fields: &[Member], next: usize, text: &[u8]) -> Option<usize> {
    let expected = fields.get(next).is_some_and(|field| field.key.begins(text, text.first_chunk()));
    if expected { Some(next) } else { search(fields, next, text) }
}

/// Looks from the field numbered `next` on and then from the first: fields that are missing leave the others in order. Apart, so that
/// who finds what was expected stays small.
#[inline(never)]
fn search(fields: &[Member], next: usize, text: &[u8]) -> Option<usize> {
    let head = text.first_chunk();
    let mut numbers = (next..fields.len()).chain(0..next.min(fields.len()));
    numbers.find(|number| fields[*number].key.begins(text, head))
}

impl Member {
    /// How many bytes its key takes.
    #[inline]
    pub(crate) fn key_len(&self) -> usize {
        self.key.text.len()
    }
}

impl Key {
    fn new(text: &[u8]) -> Self {
        let (mut head, mut mask) = ([0; 8 * WORDS], [0; 8 * WORDS]);
        for (at, byte) in text.iter().take(8 * WORDS).enumerate() {
            head[at] = *byte;
            mask[at] = u8::MAX;
        }
        Self { text: text.into(), words: words(&head), masks: words(&mask) }
    }

    /// Whether `text` begins with it. `head`: the beginning of `text`, unless it is shorter.
    #[inline]
    fn begins(&self, text: &[u8], head: Option<&[u8; 8 * WORDS]>) -> bool {
        let Some(head) = head.map(words) else { return text.starts_with(&self.text) };
        let differs = |at: usize| (head[at] ^ self.words[at]) & self.masks[at];
        // Most keys differ in the first word, and are then done with.
        differs(0) == 0
            && differs(1) | differs(2) == 0
            && (self.text.len() <= 8 * WORDS || text.starts_with(&self.text))
    }
}

#[inline]
fn words(bytes: &[u8; 8 * WORDS]) -> [u64; WORDS] {
    let (words, _) = bytes.as_chunks();
    std::array::from_fn(|at| u64::from_le_bytes(words[at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_at_the_beginning_only_and_as_a_whole() {
        let names = ["a", "abcde", "abcdef", "abcdefghijklmno", "abcdefghijklmnopqrstu", "abcdefghijklmnopqrstuvwxyz"];
        for key in names.map(|name| format!("\"{name}\":")) {
            let compiled = Key::new(key.as_bytes());
            for name in names {
                for text in [
                    format!("\"{name}\":"),
                    format!("\"{name}\":1}}"),
                    format!("\"{name}\":{}", "1".repeat(30)),
                    format!("\"{name}y\":{}", "1".repeat(30)),
                    format!(" \"{name}\":{}", "1".repeat(30)),
                    String::new(),
                ] {
                    let bytes = text.as_bytes();
                    assert_eq!(compiled.begins(bytes, bytes.first_chunk()), text.starts_with(&key), "{key} in {text}");
                }
            }
        }
    }
}
