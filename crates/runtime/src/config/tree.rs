//! Configuration as written: a tree whose every node knows where it comes from.
//!
//! Layers are merged here, before anything is read into types, so that a fault in a value can name the place that won.

use std::fmt;
use std::sync::Arc;

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// In the file, at a line (from 1; 0 where none is known).
    File(Arc<str>, u64),
    /// In a variable.
    Environment(String),
    /// In a flag.
    Flag(&'static str),
    /// Nowhere: the root of the tree.
    Root,
}

/// A value and where it was written; for a value in a map, the place of its key.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    /// Text, because YAML says so.
    Text(String),
    /// Text of a variable or a flag: what it is depends on what is wanted.
    Raw(String),
    List(Vec<Node>),
    /// In the order written, each key once.
    Map(Vec<(String, Node)>),
}

/// Everything that was written, merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    pub(super) root: Node,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { root: Node { value: Value::Map(Vec::new()), origin: Origin::Root } }
    }

    /// Lays `node` over what is at `path`: maps are merged key by key, anything else is replaced.
    pub(super) fn lay(&mut self, path: &[&str], node: Node) {
        let wrapped = path.iter().rev().fold(node, |inner, key| {
            let origin = inner.origin.clone();
            Node { value: Value::Map(vec![((*key).to_owned(), inner)]), origin }
        });
        merge(&mut self.root, wrapped);
    }
}

fn merge(under: &mut Node, over: Node) {
    match (&mut under.value, over.value) {
        (Value::Map(entries), Value::Map(new)) => {
            for (key, node) in new {
                match entries.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, known)) => merge(known, node),
                    None => entries.push((key, node)),
                }
            }
        }
        (value, new) => {
            *value = new;
            under.origin = over.origin;
        }
    }
}

impl Node {
    /// The node under a key, if this is a map.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find_map(|(known, node)| (known == key).then_some(node))
    }
}

impl Origin {
    /// How a key is written in this place: as a variable, or as a path.
    pub(super) fn spell(&self, path: &str) -> String {
        match self {
            Self::Environment(_) => super::layers::variable(path),
            _ => path.to_owned(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name, 0) => f.write_str(name),
            Self::File(name, line) => write!(f, "{name}:{line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Root => f.write_str("configuration"),
        }
    }
}
