//! Transformations, and what they read.

use super::{
    super::{
        Field, Kind, MAX_ADDED_BYTES, MAX_CONCAT_PATHS, MAX_DERIVED_FIELDS, Mask, Object, Pointer, Source,
        yaml::{Entry, Node},
    },
    Loader, join,
};

/// Of these a field has at most one.
const SOURCES: [&str; 4] = ["rename", "copy", "concat", "split"];

/// What a redacted text is shown as if the schema does not say.
const REDACTED: &str = "REDACTED";

impl<'y> Loader<'y> {
    /// Where the field `name` takes its value from.
    pub(super) fn source(&mut self, path: &str, field: &'y Node, name: Option<&str>) -> Option<Source> {
        let entries = field.entries()?.iter();
        let found: Vec<&'y Entry> = entries.filter(|entry| SOURCES.contains(&entry.key.as_str())).collect();
        let [entry] = found.as_slice() else {
            if let [_, second, ..] = found.as_slice() {
                let reason = "a field has at most one of rename, copy, concat and split";
                self.fault_at::<()>(second.line, &join(path, &second.key), reason);
            }
            return None;
        };
        let at = join(path, &entry.key);
        let node = &entry.value;
        if node.entries().is_none() {
            return self.fault_at(entry.line, &at, "must be a mapping");
        }
        self.rewrites = true;
        self.derived += 1;
        if self.derived > MAX_DERIVED_FIELDS {
            return self.fault_at(
                entry.line,
                path,
                format!("more than {MAX_DERIVED_FIELDS} fields with transformations"),
            );
        }
        let source = match entry.key.as_str() {
            "rename" => {
                self.keys(&at, node, &["from"]);
                Source::Rename(self.name(&at, node, "from")?.to_owned())
            }
            "copy" => {
                self.keys(&at, node, &["from"]);
                Source::Copy(self.pointer(&at, node, "from")?)
            }
            "concat" => {
                self.keys(&at, node, &["paths", "separator"]);
                let separator = node.get("separator").map_or(Some(""), |_| self.added(&at, node, "separator"));
                Source::Concat { paths: self.pointers(&at, node)?, separator: separator?.to_owned() }
            }
            _ => {
                self.keys(&at, node, &["from", "separator", "index"]);
                let from = self.pointer(&at, node, "from");
                let separator = self.name(&at, node, "separator").and(self.added(&at, node, "separator"));
                let index = self.index(&at, node);
                Source::Split { from: from?, separator: separator?.to_owned(), index: index? }
            }
        };
        let own = |keys: &[String]| matches!(keys, [key] if Some(key.as_str()) == name);
        let from_itself = match &source {
            Source::Rename(from) => Some(from.as_str()) == name,
            source => source.paths().iter().any(|pointer| own(&pointer.0)),
        };
        if from_itself {
            return self.fault_at(entry.line, &at, "a field cannot be made from itself: give it another name");
        }
        if !source.paths().is_empty() {
            self.looks_up = true;
            if let Some(mask) = field.get("mask") {
                let reason = "what the field is made from would stay in the record unmasked: rename it, or mask it where it stands";
                self.fault::<()>(mask, &join(path, "mask"), reason);
            }
        }
        Some(source)
    }

    fn index(&mut self, path: &str, map: &'y Node) -> Option<usize> {
        let text = self.required_text(path, map, "index")?;
        match text.parse::<u16>() {
            Ok(index) => Some(index.into()),
            Err(_) => {
                self.fault(map.get("index").unwrap_or(map), &join(path, "index"), "must be a number from 0 to 65535")
            }
        }
    }

    fn pointers(&mut self, path: &str, map: &'y Node) -> Option<Vec<Pointer>> {
        let at = join(path, "paths");
        let list = map.get("paths").unwrap_or(map);
        let texts = self.texts(path, map, "paths");
        if texts.len() < 2 || texts.len() > MAX_CONCAT_PATHS {
            return self.fault(list, &at, format!("a list of 2 to {MAX_CONCAT_PATHS} paths is needed"));
        }
        texts.into_iter().map(|(node, text)| self.parse_pointer(&at, node, text)).collect()
    }

    fn pointer(&mut self, path: &str, map: &'y Node, key: &str) -> Option<Pointer> {
        let text = self.name(path, map, key)?;
        self.parse_pointer(&join(path, key), map.get(key).unwrap_or(map), text)
    }

    fn parse_pointer(&mut self, path: &str, node: &'y Node, text: &str) -> Option<Pointer> {
        match Pointer::parse(text) {
            Some(pointer) => Some(pointer),
            None => self.fault(node, path, format!("{text:?} is no path: keys with dots between them")),
        }
    }

    /// A text that comes into every event.
    fn added(&mut self, path: &str, map: &'y Node, key: &str) -> Option<&'y str> {
        let text = self.required_text(path, map, key)?;
        if text.len() > MAX_ADDED_BYTES {
            return self.fault(map, &join(path, key), format!("longer than {MAX_ADDED_BYTES} bytes"));
        }
        Some(text)
    }

    /// What the record shows instead of a text. `kind`: the type's name.
    pub(super) fn mask(&mut self, path: &str, map: &'y Node, kind: &str) -> Option<Mask> {
        let node = map.get("mask")?;
        let at = join(path, "mask");
        if kind != "string" {
            return self.fault(node, &at, "only strings are masked");
        }
        if node.entries().is_none() {
            return self.fault(node, &at, "must be a mapping");
        }
        self.rewrites = true;
        match self.name(&at, node, "type")? {
            "redact" => {
                self.keys(&at, node, &["type", "to"]);
                let to = if node.get("to").is_some() { self.added(&at, node, "to")? } else { REDACTED };
                Some(Mask::Redact { to: to.to_owned() })
            }
            "hash" => self.fault(
                node,
                &join(&at, "type"),
                "hash is not done: Panther's recipe is not published, so its hashes and ours would not match; use redact",
            ),
            other => self.fault(node, &join(&at, "type"), format!("{other:?} is no mask: use redact")),
        }
    }

    /// A renamed key has one new name, and none of its own beside it.
    pub(super) fn renames(&mut self, path: &str, declared: &'y [Node], fields: &[Field]) {
        let renamed = fields.iter().filter_map(|field| match &field.source {
            Some(Source::Rename(from)) => Some((field, from)),
            _ => None,
        });
        let mut earlier: Vec<&str> = Vec::new();
        for (field, from) in renamed {
            let reason = if fields.iter().any(|other| other.name == *from) {
                format!("{from:?} is declared itself: use copy")
            } else if earlier.contains(&from.as_str()) {
                format!("{from:?} is renamed twice: use copy")
            } else {
                earlier.push(from);
                continue;
            };
            let node = declared.iter().find(|node| node.get("name").and_then(Node::text) == Some(&field.name));
            let Some(node) = node.and_then(|node| node.get("rename")) else { continue };
            self.fault::<()>(node, &join(path, &format!("fields[{}].rename", field.name)), reason);
        }
    }
}

/// Notes in each object which undeclared keys paths lead through.
pub(super) fn mark_passages(root: &mut Object) {
    let mut pointers = Vec::new();
    collect(root, &mut pointers);
    for pointer in pointers {
        mark(root, &pointer.0);
    }
}

fn collect(object: &Object, pointers: &mut Vec<Pointer>) {
    for field in &object.fields {
        pointers.extend(field.source.iter().flat_map(Source::paths).cloned());
        collect_from(&field.kind, pointers);
    }
}

fn collect_from(kind: &Kind, pointers: &mut Vec<Pointer>) {
    match kind {
        Kind::Object(object) => collect(object, pointers),
        Kind::Array(inner) | Kind::Embedded(inner) => collect_from(inner, pointers),
        _ => {}
    }
}

fn mark(object: &mut Object, keys: &[String]) {
    let [key, rest @ ..] = keys else { return };
    let declared = object.fields.iter_mut().find(|field| field.name == *key);
    match declared.map(|field| &mut field.kind) {
        Some(Kind::Object(inner)) => mark(inner, rest),
        Some(Kind::Embedded(kind)) => {
            if let Kind::Object(inner) = kind.as_mut() {
                mark(inner, rest);
            }
        }
        Some(_) => {}
        None if object.passages.contains(key) => {}
        None => object.passages.push(key.clone()),
    }
}
