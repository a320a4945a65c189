//! What is known of one field, or of an array's elements, and of everything below it.

use std::collections::BTreeMap;

use super::{
    MAX_KEYS, MAX_NAME_BYTES,
    seen::{Seen, Traits},
};
use crate::{
    json::{self, Member, Text, Value},
    schema,
};

/// One field.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) seen: Seen,
    /// Texts that are not empty.
    pub(super) traits: Traits,
    /// How often it had a value that no type counts as absent: neither null nor an empty text nor an empty array.
    pub(super) filled: u64,
    /// How often it was an object.
    pub(super) objects: u64,
    /// Whether what is below is not looked at.
    pub(super) opaque: bool,
    /// The members of its objects.
    pub(super) members: BTreeMap<String, Child>,
    /// The elements of its arrays.
    pub(super) element: Option<Box<Node>>,
    /// The objects that its texts hold.
    pub(super) embedded: Option<Box<Node>>,
}

/// A member, with its place among the others: that of its first appearance.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) place: usize,
    pub(super) node: Node,
}

/// How many nodes may still be made, so that memory has a bound whatever the samples hold.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    spent: bool,
}

/// What stays the same down a sample.
struct Walk<'b> {
    budget: &'b mut Budget,
}

impl Budget {
    pub(super) fn new(nodes: usize) -> Self {
        Self { left: nodes, spent: false }
    }

    /// Whether something was left out for want of room.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    fn take(&mut self) -> bool {
        self.spent |= self.left == 0;
        let granted = self.left > 0;
        self.left = self.left.saturating_sub(1);
        granted
    }
}

impl Node {
    /// Takes in the members of an event. Those of an event are declared one by one even if there are many: an event cannot be `json`.
    pub(super) fn take_root(&mut self, members: &[Member<'_>], budget: &mut Budget) {
        self.objects += 1;
        Walk { budget }.members(self, members, 0);
    }

    /// How many nodes are below this one.
    fn size(&self) -> usize {
        let members = self.members.values().map(|child| &child.node);
        let below = members.chain(self.element.as_deref()).chain(self.embedded.as_deref());
        below.map(|node| 1 + node.size()).sum()
    }
}

impl Walk<'_> {
    /// `level` is the number of objects and arrays around the value.
    fn value(&mut self, node: &mut Node, value: &Value<'_>, level: usize) {
        match value {
            Value::Null => {}
            Value::Bool(_) => {
                node.filled += 1;
                node.seen.add(Seen::BOOLEAN);
            }
            Value::Number(literal) => {
                node.filled += 1;
                node.seen.number(literal);
            }
            Value::String(text) => self.text(node, *text, level),
            Value::Array(elements) => {
                node.filled += u64::from(!elements.is_empty());
                node.seen.add(Seen::ARRAY);
                self.elements(node, elements, level);
            }
            Value::Object(members) => {
                node.filled += 1;
                node.objects += 1;
                node.seen.add(Seen::OBJECT);
                if self.may_descend(node, level) {
                    self.members(node, members, level);
                }
            }
        }
    }

    fn text(&mut self, node: &mut Node, text: Text<'_>, level: usize) {
        let text = text.decode();
        node.seen.add(Seen::TEXT);
        if text.is_empty() {
            // No JSON object, but no other value either: an absent one.
            node.seen.add(Seen::NO_EMBEDDED);
            return;
        }
        node.filled += 1;
        node.seen.text(&text);
        node.traits.narrow(&text);
        let wanted = level < schema::MAX_DEPTH && !node.seen.has(Seen::NO_EMBEDDED);
        let object = if wanted && text.starts_with('{') { json::parse(text.as_bytes()).ok() } else { None };
        if let Some(Value::Object(members)) = object
            && (node.embedded.is_some() || self.budget.take())
        {
            let mut inner = node.embedded.take().unwrap_or_default();
            inner.objects += 1;
            inner.seen.add(Seen::OBJECT);
            if !inner.opaque {
                self.members(&mut inner, &members, level);
            }
            node.embedded = Some(inner);
        } else {
            node.seen.add(Seen::NO_EMBEDDED);
            self.budget.left += node.embedded.take().map_or(0, |inner| 1 + inner.size());
        }
    }

    fn elements(&mut self, node: &mut Node, elements: &[Value<'_>], level: usize) {
        if elements.is_empty() || !self.may_descend(node, level) {
            return;
        }
        if node.element.is_none() && !self.budget.take() {
            return self.close(node);
        }
        let mut inner = node.element.take().unwrap_or_default();
        for element in elements {
            self.value(&mut inner, element, level + 1);
        }
        node.element = Some(inner);
    }

    /// The members of the object `node`, which stands at `level`. The budget is the only bound for an event's own members.
    fn members(&mut self, node: &mut Node, members: &[Member<'_>], level: usize) {
        for member in members {
            let name = member.key.decode();
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                continue;
            }
            if !node.members.contains_key(name.as_ref()) {
                if level > 0 && node.members.len() == MAX_KEYS {
                    return self.close(node);
                }
                if !self.budget.take() {
                    continue;
                }
                let child = Child { place: node.members.len(), node: Node::default() };
                node.members.insert(name.as_ref().to_owned(), child);
            }
            if let Some(child) = node.members.get_mut(name.as_ref()) {
                self.value(&mut child.node, &member.value, level + 1);
            }
        }
    }

    /// Whether what is inside a value at `level` can be declared.
    fn may_descend(&mut self, node: &mut Node, level: usize) -> bool {
        if level >= schema::MAX_DEPTH && !node.opaque {
            self.close(node);
        }
        !node.opaque
    }

    /// Forgets what is below.
    fn close(&mut self, node: &mut Node) {
        self.budget.left += node.size();
        node.opaque = true;
        node.members.clear();
        node.element = None;
        node.embedded = None;
    }
}
