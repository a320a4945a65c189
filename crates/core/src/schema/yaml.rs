//! Reads YAML into a tree that knows where each node stands in the file.
//!
//! Typed readers stop at the first fault and forget lines; a schema's author wants all faults with their lines, and a patch has to
//! know where to put its own. Plain scalars stay texts: what a field's name or an allowed value says is never a number.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};
use hashbrown::HashSet;

use super::Fault;

/// The most nodes of a file, with every alias counted as what it stands for: aliases of aliases grow without end.
const MAX_NODES: usize = 200_000;

/// A value of the file.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its first line, from 1.
    pub(crate) line: usize,
    /// The column of its first byte, from 0.
    pub(crate) column: usize,
    /// Its bytes; those of a block list or mapping end where its last value does.
    pub(crate) bytes: Range<usize>,
    pub(crate) content: Content,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    Scalar { text: String, plain: bool },
    List { items: Vec<Node>, flow: bool },
    Map { entries: Vec<Entry> },
}

/// A member of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The key's line.
    pub(crate) line: usize,
    /// Where the key begins.
    pub(crate) start: usize,
    pub(crate) value: Node,
}

impl Node {
    /// The entries of a mapping.
    pub(crate) fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map { entries } => Some(entries),
            _ => None,
        }
    }

    /// The items of a list.
    pub(crate) fn items(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The member `key` of a mapping, unless it is null.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries()?.iter().find(|entry| entry.key == key)?;
        Some(&entry.value).filter(|value| !value.is_null())
    }

    /// The text of a scalar, quoted or not; `None` if it is null or no scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// The core schema's booleans (YAML 1.2.2, section 10.3.2).
    pub(crate) fn flag(&self) -> Option<bool> {
        match &self.content {
            Content::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// Reads the one document of a file. Keys that stand twice in one mapping are faults, and the rest is still read.
pub(crate) fn read(text: &str) -> Result<(Node, Vec<Fault>), Fault> {
    let mut tree = Tree::default();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| Fault::new(error.marker().line(), "", format!("not YAML: {}", error.info())))?;
        tree.take(event, span)?;
    }
    match tree.root {
        Some(root) => Ok((root, tree.faults)),
        None => Err(Fault::new(0, "", "holds nothing")),
    }
}

/// A tree under construction.
#[derive(Default)]
struct Tree {
    root: Option<Node>,
    /// Lists and mappings that are not closed yet, outermost first.
    open: Vec<Open>,
    /// Anchored nodes, by the parser's number.
    anchors: Vec<(usize, Node)>,
    nodes: usize,
    faults: Vec<Fault>,
}

struct Open {
    node: Node,
    anchor: usize,
    /// The key whose value is next.
    key: Option<Node>,
    /// The keys so far.
    keys: HashSet<String>,
}

impl Tree {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let content = Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                let node = node(span, content);
                self.put(node, anchor)
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(span, Content::List { items: Vec::new(), flow: style == StructureStyle::Flow }, anchor)
            }
            Event::MappingStart(_, anchor, _) => self.open(span, Content::Map { entries: Vec::new() }, anchor),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                open.node.bytes.end = match &open.node.content {
                    Content::List { flow: false, items } => items.last().map_or(0, |item| item.bytes.end),
                    Content::Map { entries } if span.is_empty() => {
                        entries.last().map_or(0, |entry| entry.value.bytes.end.max(entry.start + entry.key.len()))
                    }
                    _ => end(span),
                }
                .max(open.node.bytes.start);
                self.put(open.node, open.anchor)
            }
            Event::Alias(id) => {
                let target = self.anchors.iter().rev().find(|(anchor, _)| *anchor == id);
                let Some((_, target)) = target else {
                    return Err(Fault::new(span.start.line(), "", "an alias stands inside of what it names"));
                };
                let mut copy = target.clone();
                // Its own place is that of the alias; what is below stays where it is written.
                (copy.line, copy.column) = (span.start.line(), span.start.col());
                copy.bytes = start(span)..end(span);
                self.count(copy.count(), copy.line)?;
                self.put(copy, 0)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, span: Span, content: Content, anchor: usize) -> Result<(), Fault> {
        self.open.push(Open { node: node(span, content), anchor, key: None, keys: HashSet::new() });
        self.count(1, span.start.line())
    }

    /// Puts a finished node where it belongs.
    fn put(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
            self.count(node.count(), node.line)?;
        }
        self.count(1, node.line)?;
        let Some(parent) = self.open.last_mut() else {
            if self.root.is_some() {
                return Err(Fault::new(node.line, "", "more than one document"));
            }
            self.root = Some(node);
            return Ok(());
        };
        match (&mut parent.node.content, parent.key.take()) {
            (Content::List { items, .. }, _) => items.push(node),
            (Content::Map { .. }, None) => parent.key = Some(node),
            (Content::Map { entries }, Some(key)) => {
                let Content::Scalar { text, .. } = key.content else {
                    return Err(Fault::new(key.line, "", "a key is a text"));
                };
                if parent.keys.insert(text.clone()) {
                    entries.push(Entry { key: text, line: key.line, start: key.bytes.start, value: node });
                } else {
                    self.faults.push(Fault::new(key.line, "", format!("the key {text:?} stands twice")));
                }
            }
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, line: usize) -> Result<(), Fault> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES { Err(Fault::new(line, "", format!("more than {MAX_NODES} values"))) } else { Ok(()) }
    }
}

impl Node {
    fn count(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List { items, .. } => items.iter().map(Self::count).sum(),
            Content::Map { entries } => entries.iter().map(|entry| entry.value.count()).sum(),
        }
    }
}

fn node(span: Span, content: Content) -> Node {
    Node { line: span.start.line(), column: span.start.col(), bytes: start(span)..end(span), content }
}

fn start(span: Span) -> usize {
    span.start.byte_offset().unwrap_or_default()
}

fn end(span: Span) -> usize {
    span.end.byte_offset().unwrap_or_default().max(start(span))
}
