//! Drift as a change of the schema file: what to add so that the same events drift no more.
//!
//! Works on the file's lines, so that comments and order stay: a field goes behind the last one of its object, a value into its list,
//! a type into the place of the old one, in the style the file has there. What comes out is text for people to read, and for tools
//! that apply differences.

mod hunk;
mod path;

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    ops::Range,
};

pub use self::hunk::Hunk;
use self::path::{Step, name_byte, steps};
use super::{
    ROW_KEY, is_reserved, load,
    yaml::{self, Content, Node},
};
use crate::{
    json,
    normalize::drift::{Book, Noted},
};

/// A change of a schema file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// The file as it should be.
    pub text: String,
    /// What differs, from the top.
    pub hunks: Vec<Hunk>,
    /// Drift that no change of this file takes up, in words, such as a new value that is not shown.
    pub left: Vec<String>,
}

/// The change of `text` that takes `book` up. `None` if the text is no YAML.
#[must_use]
pub fn patch<At: fmt::Display>(text: &str, book: &Book<At>) -> Option<Patch> {
    let (top, _) = yaml::read(text).ok()?;
    let mut writer = Writer { text, top: &top, edits: BTreeMap::new(), declared: HashSet::new(), left: Vec::new() };
    // What becomes json knows every value and every field below it.
    let mut replaced = Vec::new();
    for (path, noted) in &book.types {
        if writer.retype(path, noted) {
            replaced.push(path.as_str());
        }
    }
    let covered = |path: &str| {
        replaced.iter().any(|replaced| {
            path.strip_prefix(replaced).is_some_and(|rest| rest.is_empty() || !rest.starts_with(name_byte))
        })
    };
    for ((path, value), noted) in &book.values {
        if !covered(path) {
            writer.allow(path, value.as_deref(), noted);
        }
    }
    for (path, noted) in &book.paths {
        if !covered(path) {
            writer.declare(path, noted);
        }
    }
    let patch = writer.finish();
    // A file in a form that edits of lines do not suit stays as it is.
    if load::load(&patch.text, load::Of::Events).is_err() && load::load(text, load::Of::Events).is_ok() {
        let paths = book.types.keys().chain(book.values.keys().map(|(path, _)| path)).chain(book.paths.keys());
        let left = paths.map(|path| format!("{path}: no place for it is found in the file")).collect();
        return Some(Patch { text: text.to_owned(), hunks: Vec::new(), left });
    }
    Some(patch)
}

/// As a difference without context lines, as `diff -U0` prints it.
impl fmt::Display for Patch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hunks.iter().try_for_each(|hunk| hunk.fmt(formatter))
    }
}

struct Writer<'t> {
    text: &'t str,
    top: &'t Node,
    /// What comes in the place of which bytes, by where they begin. Several may begin at one place if they take nothing away.
    edits: BTreeMap<usize, (Range<usize>, String)>,
    /// New fields, by where their list begins and their folded names.
    declared: HashSet<(usize, String)>,
    left: Vec<String>,
}

impl<'t> Writer<'t> {
    /// Declares a field that events have.
    fn declare(&mut self, path: &str, noted: &Noted<impl fmt::Display>) {
        let (parent, name) = match steps(path).as_deref() {
            Some([parent @ .., Step::Key(name)]) => (self.find(parent), name.clone()),
            _ => (None, String::new()),
        };
        let list = parent.and_then(|parent| parent.get("fields"));
        let Some((list, fields @ [.., last])) = list.map(|list| (list, list.items().unwrap_or_default())) else {
            return self.leave(path, "the object that has it is not found");
        };
        let folded = name.to_lowercase();
        let taken = |field: &Node| {
            let from = field.get("rename").and_then(|rename| rename.get("from"));
            field.get("name").into_iter().chain(from).filter_map(Node::text).any(|name| name.to_lowercase() == folded)
        };
        let is_reserved =
            is_reserved(&name) && list.bytes == self.top.get("fields").map_or(0..0, |fields| fields.bytes.clone());
        if name.is_empty()
            || is_reserved
            || fields.iter().any(taken)
            || !self.declared.insert((list.bytes.start, folded))
        {
            return self.leave(path, "its name is reserved or empty, or another field has it in upper or lower case");
        }
        let kind = noted.seen.shapes.schema_type();
        let name = scalar(&name);
        if is_flow(list) {
            self.insert(last.bytes.end, &format!(", {{name: {name}, type: {kind}}}"));
        } else {
            let dash = " ".repeat(self.dash(last));
            let note = comment(noted);
            let field = format!("\n{dash}# {note}\n{dash}- name: {name}\n{dash}  type: {kind}");
            self.insert(self.end_of_line(self.end(last)), &field);
        }
    }

    /// Adds a value to those a field may have.
    fn allow(&mut self, path: &str, value: Option<&str>, noted: &Noted<impl fmt::Display>) {
        let Some(value) = value else {
            return self.leave(path, &format!("a new value ({}) is not shown", noted.seen.sample));
        };
        let field = steps(path).and_then(|steps| self.find(&steps));
        let list = field.and_then(|field| field.get("validate")?.get("allow"));
        let Some((list, [.., last])) = list.map(|list| (list, list.items().unwrap_or_default())) else {
            return self.leave(path, "its list of values is not found");
        };
        let value = scalar(value);
        if is_flow(list) {
            self.insert(last.bytes.end, &format!(", {value}"));
        } else {
            let line = format!("\n{}- {value} # {}", " ".repeat(self.dash(last)), comment(noted));
            self.insert(self.end_of_line(self.end(last)), &line);
        }
    }

    /// Gives a field the type `json`, which takes what it took and what has come. Says whether it did.
    fn retype(&mut self, path: &str, noted: &Noted<impl fmt::Display>) -> bool {
        let field = steps(path).and_then(|steps| self.find(&steps));
        let Some((field, kind)) = field.and_then(|field| Some((field, field.get("type")?))) else {
            self.leave(path, "its declaration is not found");
            return false;
        };
        let is_key = steps(path).is_some_and(|steps| steps == [Step::Key(ROW_KEY.to_owned())]);
        if is_key || field.get("mask").is_some() || field.get("isEventTime").and_then(Node::flag) == Some(true) {
            let reason = format!("{} where the schema relies on its type", noted.seen.sample);
            self.leave(path, &reason);
            return false;
        }
        // What only the old type can say goes with it.
        let kept = ["name", "required", "description", "rename", "copy", "concat", "split"];
        let entries = field.entries().unwrap_or_default();
        let said = |key: &str| {
            entries
                .iter()
                .find(|entry| entry.key == key)
                .map(|entry| self.text[entry.start..self.end(&entry.value).max(entry.start)].to_owned())
        };
        let mut parts: Vec<String> = kept.iter().filter_map(|key| said(key)).collect();
        parts.push("type: json".into());
        let was = kind.text().unwrap_or_default();
        let flow = self.text[field.bytes.start..].starts_with('{');
        let replacement = if flow {
            format!("{{{}}}", parts.join(", "))
        } else {
            let indent = " ".repeat(field.column);
            format!("{}\n{indent}# was {was}: {}", parts.join(&format!("\n{indent}")), comment(noted))
        };
        self.edits.insert(field.bytes.start, (field.bytes.start..self.end(field), replacement));
        true
    }

    /// The declaration at a path: of a field, or of an array's element.
    fn find(&self, path: &[Step]) -> Option<&'t Node> {
        let mut node = self.resolve(self.top);
        for step in path {
            node = self.resolve(match step {
                Step::Key(name) => {
                    let fields = node.get("fields")?.items()?;
                    fields.iter().find(|field| field.get("name").and_then(Node::text) == Some(name))?
                }
                Step::Element => node.get("element")?,
            });
        }
        Some(node)
    }

    /// The definition, if a field refers to one. Definitions of a schema that loads end somewhere; a bound makes sure.
    fn resolve(&self, node: &'t Node) -> &'t Node {
        let target = |node: &'t Node| {
            let is_ref = node.get("type").and_then(Node::text) == Some("ref");
            self.top.get("definitions")?.get(node.get("target").filter(|_| is_ref)?.text()?)
        };
        let mut node = node;
        for _ in 0..super::MAX_DEPTH {
            let Some(next) = target(node) else { break };
            node = next;
        }
        node
    }

    fn insert(&mut self, at: usize, text: &str) {
        self.edits.entry(at).or_insert_with(|| (at..at, String::new())).1.push_str(text);
    }

    fn leave(&mut self, path: &str, reason: &str) {
        self.left.push(format!("{path}: {reason}"));
    }

    /// The column of the dash before an item of a block list.
    fn dash(&self, item: &Node) -> usize {
        let before = &self.text[..item.bytes.start];
        let dash = before.rfind('-').unwrap_or(before.len());
        dash - before[..dash].rfind('\n').map_or(0, |line| line + 1)
    }

    /// Where a value ends; block texts take the line's end with them.
    fn end(&self, node: &Node) -> usize {
        node.bytes.start + self.text[node.bytes.clone()].trim_end().len()
    }

    fn end_of_line(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.text.len(), |length| from + length)
    }

    fn finish(self) -> Patch {
        let mut text = String::with_capacity(self.text.len());
        let mut at = 0;
        for (range, replacement) in self.edits.into_values() {
            // An edit inside of what another one replaces has gone with it.
            if range.start >= at {
                text.push_str(&self.text[at..range.start]);
                text.push_str(&replacement);
                at = range.end;
            }
        }
        text.push_str(&self.text[at..]);
        let hunks = hunk::between(self.text, &text);
        Patch { text, hunks, left: self.left }
    }
}

fn is_flow(list: &Node) -> bool {
    matches!(list.content, Content::List { flow: true, .. })
}

/// A text as YAML: quoted unless it is a plain word, for `no` and `1` mean something else to many readers.
fn scalar(text: &str) -> String {
    let word = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.chars().all(name_byte);
    let means_more = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if word && !means_more.contains(&text.to_ascii_lowercase().as_str()) {
        return text.to_owned();
    }
    let mut quoted = Vec::new();
    json::write_string(&mut quoted, text);
    String::from_utf8(quoted).expect("a text stays UTF-8 when it is quoted")
}

/// `met 3 ×, 2026-01-02T03:04:05Z to 2026-01-03T03:04:05Z, first as string of 5 bytes`
fn comment(noted: &Noted<impl fmt::Display>) -> String {
    let Noted { first, last, seen } = noted;
    format!("met {} ×, {first:.0} to {last:.0}, first as {}", seen.count, seen.sample)
}

#[cfg(test)]
mod tests;
