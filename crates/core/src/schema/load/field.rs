//! Fields, their types, and definitions that stand for types.

use std::collections::HashMap;

use super::{
    super::{Field, Kind, MAX_DEFINITIONS, MAX_DEPTH, MAX_FAULTS, MAX_FIELDS, Object, Width, is_reserved, yaml::Node},
    Loader, join,
};
use crate::json;

/// What every field may say beside its type.
const OF_FIELD: [&str; 9] = ["name", "required", "description", "type", "rename", "copy", "concat", "split", "mask"];

/// What an element or a definition may say beside its type.
const OF_VALUE: [&str; 3] = ["description", "type", "mask"];

/// What types may say, all together.
const OF_TYPES: [&str; 10] = [
    "indicators",
    "validate",
    "timeFormat",
    "timeFormats",
    "isEventTime",
    "isExpiration",
    "isEmbeddedJSON",
    "fields",
    "element",
    "target",
];

impl<'y> Loader<'y> {
    /// Compiles each definition once, so that faults of unused ones are found too.
    pub(super) fn definitions(&mut self) {
        let Some(definitions) = self.definitions else { return };
        let Some(entries) = definitions.entries() else {
            self.fault::<()>(definitions, "definitions", "must be a mapping");
            return;
        };
        if entries.len() > MAX_DEFINITIONS {
            self.fault::<()>(definitions, "definitions", format!("more than {MAX_DEFINITIONS} definitions"));
            return;
        }
        for entry in entries {
            self.definition(&entry.value, &entry.key, 0);
            // What counts is what the fields make of them.
            (self.fields, self.listed, self.derived) = (0, 0, 0);
            (self.rewrites, self.looks_up) = (false, false);
        }
    }

    fn definition(&mut self, from: &'y Node, name: &'y str, depth: usize) -> Option<Kind> {
        if self.inside.contains(&name) {
            let way = [&self.inside[..], &[name]].concat().join(" → ");
            return self.fault(from, &format!("definitions.{name}"), format!("refers to itself: {way}"));
        }
        let definition = self.definitions.and_then(|definitions| definitions.get(name));
        let Some(definition) = definition else {
            return self.fault(from, &format!("definitions.{name}"), "is not defined");
        };
        if definition.entries().is_none() {
            return self.fault(definition, &format!("definitions.{name}"), "a definition is a mapping");
        }
        self.inside.push(name);
        let kind = self.kind(&format!("definitions.{name}"), definition, &OF_VALUE, depth);
        self.inside.pop();
        kind
    }

    /// The `fields` of `map`.
    pub(super) fn object(&mut self, path: &str, map: &'y Node, depth: usize) -> Option<Object> {
        let at = join(path, "fields");
        let list = map.get("fields");
        let Some(declared) = list.and_then(Node::items).filter(|items| !items.is_empty()) else {
            return self.fault(list.unwrap_or(map), &at, "a list of at least one field is needed");
        };
        if depth >= MAX_DEPTH {
            return self.fault(list.unwrap_or(map), &at, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let mut fields: Vec<Field> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (index, node) in declared.iter().enumerate() {
            if self.fields > MAX_FIELDS || self.faults.len() >= MAX_FAULTS {
                return None;
            }
            let name = node.get("name").and_then(Node::text);
            let at = name.map_or_else(|| format!("{at}[{index}]"), |name| format!("{at}[{name}]"));
            let Some(field) = self.field(&at, node, depth) else { continue };
            if depth == 0 && is_reserved(&field.name) {
                self.fault::<()>(node, &at, "names that begin with p_ are kept for Panther's standard fields");
            }
            if let Some(earlier) = places.insert(field.name.to_lowercase(), fields.len()) {
                let earlier = &fields[earlier].name;
                let reason = format!("differs from {earlier:?} in nothing but case");
                let reason = if *earlier == field.name { "declared twice".into() } else { reason };
                self.fault::<()>(node, &at, reason);
            }
            fields.push(field);
        }
        self.renames(path, declared, &fields);
        Some(Object { fields, passages: Vec::new() })
    }

    fn field(&mut self, path: &str, node: &'y Node, depth: usize) -> Option<Field> {
        if node.entries().is_none() {
            return self.fault(node, path, "a field is a mapping");
        }
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return self.fault(node, path, format!("more than {MAX_FIELDS} fields"));
        }
        let name = self.name(path, node, "name");
        let required = self.flag(path, node, "required");
        let source = self.source(path, node, name);
        let kind = self.kind(path, node, &OF_FIELD, depth)?;
        if depth > 0 && is_expiration(&kind) {
            self.fault::<()>(node, &join(path, "isExpiration"), "is for fields at the top");
        }
        let name = name?.to_owned();
        let mut key = Vec::new();
        json::write_string(&mut key, &name);
        key.push(b':');
        Some(Field { name, key, required, kind, source })
    }

    /// The type that `node` declares. `common`: keys that it may have whatever its type.
    fn kind(&mut self, path: &str, node: &'y Node, common: &[&str], depth: usize) -> Option<Kind> {
        let at = join(path, "type");
        let Some(name) = self.name(path, node, "type") else {
            self.keys(path, node, &[common, &OF_TYPES].concat());
            return None;
        };
        let own: &[&str] = match name {
            "string" => &["indicators", "validate"],
            "timestamp" => &["timeFormat", "timeFormats", "isEventTime", "isExpiration"],
            "object" => &["fields", "isEmbeddedJSON"],
            "array" => &["element", "isEmbeddedJSON"],
            "json" => &["isEmbeddedJSON"],
            "ref" => &["target"],
            "smallint" | "int" | "bigint" | "float" | "boolean" => &[],
            _ => return self.fault(node.get("type").unwrap_or(node), &at, format!("{name:?} is no type")),
        };
        self.keys(path, node, &[common, own].concat());
        let mask = self.mask(path, node, name);
        let kind = match name {
            "string" => {
                Kind::String { indicators: self.indicators(path, node), validate: self.validate(path, node), mask }
            }
            "timestamp" => Kind::Timestamp {
                formats: self.formats(path, node),
                event_time: self.flag(path, node, "isEventTime"),
                expiration: self.flag(path, node, "isExpiration"),
            },
            "object" => Kind::Object(self.object(path, node, depth + 1)?),
            "array" => Kind::Array(Box::new(self.element(path, node, depth + 1)?)),
            "json" => Kind::Json,
            "ref" => {
                let target = self.name(path, node, "target")?;
                return self.definition(node.get("target").unwrap_or(node), target, depth);
            }
            "smallint" => Kind::Integer(Width::Small),
            "int" => Kind::Integer(Width::Int),
            "bigint" => Kind::Integer(Width::Big),
            "float" => Kind::Float,
            _ => Kind::Boolean,
        };
        if own.contains(&"isEmbeddedJSON") && self.flag(path, node, "isEmbeddedJSON") {
            self.rewrites = true;
            return Some(Kind::Embedded(Box::new(kind)));
        }
        Some(kind)
    }

    fn element(&mut self, path: &str, node: &'y Node, depth: usize) -> Option<Kind> {
        let at = join(path, "element");
        let Some(element) = node.get("element").filter(|element| element.entries().is_some()) else {
            return self.fault(node.get("element").unwrap_or(node), &at, "an array needs an element");
        };
        if depth >= MAX_DEPTH {
            return self.fault(element, &at, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let mut kind = self.kind(&at, element, &OF_VALUE, depth)?;
        if is_expiration(&kind) {
            self.fault::<()>(element, &join(&at, "isExpiration"), "is for fields at the top");
        }
        if let Kind::Timestamp { event_time, .. } = &mut kind {
            // Of several instants none is the event's.
            *event_time = false;
        }
        Some(kind)
    }
}

fn is_expiration(kind: &Kind) -> bool {
    matches!(kind, Kind::Timestamp { expiration: true, .. })
}
