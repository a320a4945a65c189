//! Compiles one schema file.
//!
//! Works on a tree of YAML nodes and not through typed structs, so that one run names all faults, each with its line and path.

mod derive;
mod field;
mod parser;
mod rules;

use super::{
    Fault, MAX_FAULTS, MAX_FILE_BYTES, MAX_LISTED, Object, Plan, Schema,
    yaml::{self, Node},
};

/// What a schema describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// The events of a log type.
    Events,
    /// The rows of a lookup table.
    Rows,
}

/// Compiles the text of a file.
pub(crate) fn load(text: &str, of: Of) -> Result<Schema, Vec<Fault>> {
    if text.len() > MAX_FILE_BYTES {
        return Err(vec![Fault::new(0, "", format!("longer than {MAX_FILE_BYTES} bytes"))]);
    }
    let (top, faults) = yaml::read(text).map_err(|fault| vec![fault])?;
    let mut loader = Loader::new(&top, of, faults);
    let schema = loader.file(&top);
    let mut faults = loader.faults;
    match schema {
        Some(schema) if faults.is_empty() => Ok(schema),
        _ => {
            faults.sort_by_key(|fault| fault.line);
            Err(faults)
        }
    }
}

struct Loader<'y> {
    of: Of,
    faults: Vec<Fault>,
    definitions: Option<&'y Node>,
    /// The definitions that are being compiled, outermost first.
    inside: Vec<&'y str>,
    fields: usize,
    listed: usize,
    /// Fields with a transformation.
    derived: usize,
    rewrites: bool,
    looks_up: bool,
}

impl<'y> Loader<'y> {
    fn new(top: &'y Node, of: Of, faults: Vec<Fault>) -> Self {
        Self {
            of,
            faults,
            definitions: top.get("definitions"),
            inside: Vec::new(),
            fields: 0,
            listed: 0,
            derived: 0,
            rewrites: false,
            looks_up: false,
        }
    }

    fn file(&mut self, top: &'y Node) -> Option<Schema> {
        if top.entries().is_none() {
            return self.fault(top, "", "a schema is a mapping");
        }
        self.keys(
            "",
            top,
            &[
                "schema",
                "description",
                "referenceURL",
                "version",
                "fields",
                "parser",
                "definitions",
                "fieldDiscoveryEnabled",
            ],
        );
        let log_type = self.log_type(top);
        if let Some(version) = top.get("version").filter(|version| version.text() != Some("0")) {
            self.fault::<()>(version, "version", "must be 0");
        }
        self.flag("", top, "fieldDiscoveryEnabled");
        let csv = self.parser(top);
        self.definitions();
        let mut root = self.object("", top, 0)?;
        if self.of == Of::Events {
            self.row_key(top, &root);
        }
        derive::mark_passages(&mut root);
        let (rewrites, looks_up) = (self.rewrites, self.looks_up);
        let plan = Plan::new(&root);
        Some(Schema { log_type: log_type?, root, plan, unknown: None, csv, rewrites, looks_up })
    }

    fn log_type(&mut self, top: &'y Node) -> Option<String> {
        let name = self.name("", top, "schema")?;
        let part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.contains('.') && name.split('.').all(part) {
            Some(name.to_owned())
        } else {
            let reason = "a name has at least two parts of letters, digits and '_', joined by '.'";
            self.fault(top.get("schema").unwrap_or(top), "schema", reason)
        }
    }

    /// The row id follows from the field `uuid`, so that must say the same each time.
    fn row_key(&mut self, top: &'y Node, root: &Object) {
        let Some(field) = root.field(super::ROW_KEY) else { return };
        if !matches!(field.kind, super::Kind::String { mask: None, .. }) {
            let declared = top.get("fields").and_then(Node::items).unwrap_or_default();
            let node = declared.iter().find(|node| node.get("name").and_then(Node::text) == Some(super::ROW_KEY));
            let reason = "identifies the event: its type is string, and it has no mask";
            self.fault::<()>(node.unwrap_or(top), "fields[uuid]", reason);
        }
    }

    fn keys(&mut self, path: &str, map: &'y Node, known: &[&str]) {
        for entry in map.entries().unwrap_or_default() {
            if !known.contains(&entry.key.as_str()) {
                self.fault_at::<()>(entry.line, &join(path, &entry.key), "is not known here");
            }
        }
    }

    fn flag(&mut self, path: &str, map: &'y Node, key: &str) -> bool {
        let Some(node) = map.get(key) else { return false };
        let flag = node.flag();
        if flag.is_none() {
            self.fault::<()>(node, &join(path, key), "must be true or false");
        }
        flag.unwrap_or(false)
    }

    /// A text that must be there and not be empty.
    fn name(&mut self, path: &str, map: &'y Node, key: &str) -> Option<&'y str> {
        match self.required_text(path, map, key)? {
            "" => self.fault(map.get(key).unwrap_or(map), &join(path, key), "must not be empty"),
            text => Some(text),
        }
    }

    /// A text that must be there.
    fn required_text(&mut self, path: &str, map: &'y Node, key: &str) -> Option<&'y str> {
        let at = join(path, key);
        match map.get(key) {
            Some(node) => self.text(&at, node),
            None => self.fault(map, &at, "is missing"),
        }
    }

    fn text(&mut self, path: &str, node: &'y Node) -> Option<&'y str> {
        match node.text() {
            Some(text) => Some(text),
            None if node.is_null() => self.fault(node, path, "is missing"),
            None => self.fault(node, path, "must be a text"),
        }
    }

    /// The texts of a list, each with its node. None if the list is absent.
    fn texts(&mut self, path: &str, map: &'y Node, key: &str) -> Vec<(&'y Node, &'y str)> {
        let at = join(path, key);
        let Some(node) = map.get(key) else { return Vec::new() };
        let Some(items) = node.items() else {
            self.fault::<()>(node, &at, "must be a list");
            return Vec::new();
        };
        let before = self.listed;
        self.listed += items.len();
        if self.listed > MAX_LISTED {
            if before <= MAX_LISTED {
                self.fault::<()>(node, &at, format!("more than {MAX_LISTED} values in lists"));
            }
            return Vec::new();
        }
        items.iter().filter_map(|item| Some((item, self.text(&at, item)?))).collect()
    }

    /// Notes a fault; `None`, so that a caller can return it.
    fn fault<T>(&mut self, node: &Node, path: &str, reason: impl Into<String>) -> Option<T> {
        self.fault_at(node.line, path, reason)
    }

    /// A definition's faults are found again wherever it is referred to.
    fn fault_at<T>(&mut self, line: usize, path: &str, reason: impl Into<String>) -> Option<T> {
        let fault = Fault::new(line, path, reason);
        if self.faults.len() < MAX_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        None
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}
