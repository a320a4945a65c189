//! Compiles one schema file.
//!
//! Works on the YAML tree and not through typed structs, so that one run names all faults, each with its path.

use serde_json::{Map, Value};

use super::{
    Family, Fault, Field, Kind, MAX_DEPTH, MAX_FIELDS, MAX_FILE_BYTES, Object, Plan, Schema, TimeFormat, Validate, Width,
};
use crate::{indicator::Indicator, json, timestamp::Unit};

/// Keys that Panther knows and this engine does not act on. Refused, since a record without their effect would be wrong.
const UNSUPPORTED: [&str; 9] =
    ["rename", "copy", "concat", "split", "mask", "isEmbeddedJSON", "isExpiration", "definitions", "target"];

pub(super) fn load(text: &str) -> Result<Schema, Vec<Fault>> {
    let mut loader = Loader { faults: Vec::new(), fields: 0 };
    let schema = loader.file(text);
    match schema {
        Some(schema) if loader.faults.is_empty() => Ok(schema),
        _ => Err(loader.faults),
    }
}

struct Loader {
    faults: Vec<Fault>,
    fields: usize,
}

impl Loader {
    fn file(&mut self, text: &str) -> Option<Schema> {
        if text.len() > MAX_FILE_BYTES {
            return self.fault("", format!("longer than {MAX_FILE_BYTES} bytes"));
        }
        let top = match serde_saphyr::from_str::<Value>(text) {
            Ok(Value::Object(top)) => top,
            Ok(_) => return self.fault("", "a schema is a mapping"),
            Err(error) => {
                return self.fault("", format!("not YAML: {}", error.to_string().lines().next().unwrap_or_default()));
            }
        };
        self.keys(
            "",
            &top,
            &["schema", "description", "referenceURL", "version", "fields", "parser", "fieldDiscoveryEnabled"],
        );
        let log_type = self.log_type(&top);
        if !matches!(top.get("version").map(Value::as_u64), None | Some(Some(0))) {
            self.fault::<()>("version", "must be 0");
        }
        self.flag("", &top, "fieldDiscoveryEnabled");
        self.parser(top.get("parser"));
        let root = self.object("", &top, 0);
        let (log_type, root) = (log_type?, root?);
        let plan = Plan::new(&root);
        Some(Schema { log_type, root, plan })
    }

    fn log_type(&mut self, top: &Map<String, Value>) -> Option<String> {
        let name = self.name("schema", top.get("schema"))?;
        let part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.contains('.') && name.split('.').all(part) {
            Some(name)
        } else {
            self.fault("schema", "a name has at least two parts of letters, digits and '_', joined by '.'")
        }
    }

    fn parser(&mut self, parser: Option<&Value>) {
        match parser {
            None => {}
            Some(Value::Object(kinds)) => {
                for kind in kinds.keys().filter(|kind| *kind != "native") {
                    self.fault::<()>(&format!("parser.{kind}"), "only native parsers of JSON logs are supported");
                }
            }
            Some(_) => {
                self.fault::<()>("parser", "must be a mapping");
            }
        }
    }

    /// The `fields` of `map`.
    fn object(&mut self, path: &str, map: &Map<String, Value>, depth: usize) -> Option<Object> {
        let at = join(path, "fields");
        let Some(Value::Array(declared)) =
            map.get("fields").filter(|fields| fields.as_array().is_none_or(|list| !list.is_empty()))
        else {
            return self.fault(&at, "a list of at least one field is needed");
        };
        if depth >= MAX_DEPTH {
            return self.fault(&at, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let mut fields: Vec<Field> = Vec::with_capacity(declared.len());
        for (index, field) in declared.iter().enumerate() {
            let name = field.get("name").and_then(Value::as_str);
            let at = name.map_or_else(|| format!("{at}[{index}]"), |name| format!("{at}[{name}]"));
            let Some(field) = self.field(&at, field, depth) else { continue };
            if depth == 0 && super::is_reserved(&field.name) {
                self.fault::<()>(&at, "names that begin with p_ are kept for Panther's standard fields");
            }
            if let Some(earlier) =
                fields.iter().find(|earlier| earlier.name.to_lowercase() == field.name.to_lowercase())
            {
                let reason = format!("differs from {:?} in nothing but case", earlier.name);
                self.fault::<()>(&at, if earlier.name == field.name { "declared twice".into() } else { reason });
            }
            fields.push(field);
        }
        Some(Object { fields })
    }

    fn field(&mut self, path: &str, field: &Value, depth: usize) -> Option<Field> {
        let Value::Object(map) = field else { return self.fault(path, "a field is a mapping") };
        self.fields += 1;
        if self.fields == MAX_FIELDS + 1 {
            self.fault::<()>(path, format!("more than {MAX_FIELDS} fields"));
        }
        if self.fields > MAX_FIELDS {
            return None;
        }
        let name = self.name(&join(path, "name"), map.get("name"));
        let required = self.flag(path, map, "required");
        let kind = self.kind(path, map, &["name", "required", "description", "type"], depth);
        let name = name?;
        let mut key = Vec::new();
        json::write_string(&mut key, &name);
        key.push(b':');
        Some(Field { name, key, required, kind: kind? })
    }

    fn kind(&mut self, path: &str, map: &Map<String, Value>, common: &[&str], depth: usize) -> Option<Kind> {
        let at = join(path, "type");
        let name = self.name(&at, map.get("type"))?;
        let own: &[&str] = match name.as_str() {
            "string" => &["indicators", "validate"],
            "timestamp" => &["timeFormat", "timeFormats", "isEventTime", "isExpiration"],
            "object" => &["fields", "isEmbeddedJSON"],
            "array" => &["element", "isEmbeddedJSON"],
            "json" => &["isEmbeddedJSON"],
            "smallint" | "int" | "bigint" | "float" | "boolean" => &[],
            "ref" => return self.fault(&at, "references to definitions are not supported"),
            _ => return self.fault(&at, format!("{name:?} is no type")),
        };
        self.keys(path, map, &[common, own].concat());
        Some(match name.as_str() {
            "string" => Kind::String { indicators: self.indicators(path, map), validate: self.validate(path, map) },
            "timestamp" => {
                Kind::Timestamp { formats: self.formats(path, map), event_time: self.flag(path, map, "isEventTime") }
            }
            "object" => Kind::Object(self.object(path, map, depth + 1)?),
            "array" => Kind::Array(Box::new(self.element(path, map, depth + 1)?)),
            "json" => Kind::Json,
            "smallint" => Kind::Integer(Width::Small),
            "int" => Kind::Integer(Width::Int),
            "bigint" => Kind::Integer(Width::Big),
            "float" => Kind::Float,
            _ => Kind::Boolean,
        })
    }

    fn element(&mut self, path: &str, map: &Map<String, Value>, depth: usize) -> Option<Kind> {
        let at = join(path, "element");
        let Some(Value::Object(element)) = map.get("element") else {
            return self.fault(&at, "an array needs an element");
        };
        if depth >= MAX_DEPTH {
            return self.fault(&at, format!("nested deeper than {MAX_DEPTH} levels"));
        }
        let mut kind = self.kind(&at, element, &["description", "type"], depth)?;
        if let Kind::Timestamp { event_time, .. } = &mut kind {
            // Of several instants none is the event's.
            *event_time = false;
        }
        Some(kind)
    }

    fn indicators(&mut self, path: &str, map: &Map<String, Value>) -> Vec<Indicator> {
        let at = join(path, "indicators");
        let mut indicators = Vec::new();
        for name in self.texts(&at, map.get("indicators")) {
            match name.parse::<Indicator>() {
                Ok(indicator) if indicators.contains(&indicator) => {}
                Ok(indicator) => indicators.push(indicator),
                Err(error) => {
                    self.fault::<()>(&at, error.to_string());
                }
            }
        }
        indicators
    }

    fn validate(&mut self, path: &str, map: &Map<String, Value>) -> Option<Validate> {
        let at = join(path, "validate");
        let rules = match map.get("validate")? {
            Value::Object(rules) if rules.len() == 1 => rules,
            _ => return self.fault(&at, "exactly one of allow, deny, ip and cidr is needed"),
        };
        let (rule, value) = rules.iter().next()?;
        let at = join(&at, rule);
        match rule.as_str() {
            "allow" => Some(Validate::Allow(self.texts(&at, Some(value)))),
            "deny" => Some(Validate::Deny(self.texts(&at, Some(value)))),
            "ip" => Some(Validate::Ip(self.family(&at, value)?)),
            "cidr" => Some(Validate::Cidr(self.family(&at, value)?)),
            _ => self.fault(&at, "is none of allow, deny, ip and cidr"),
        }
    }

    fn family(&mut self, path: &str, value: &Value) -> Option<Family> {
        match value.as_str() {
            Some("ipv4") => Some(Family::V4),
            Some("ipv6") => Some(Family::V6),
            Some("any") => Some(Family::Any),
            _ => self.fault(path, "must be ipv4, ipv6 or any"),
        }
    }

    /// Without a format, `rfc3339` is meant.
    fn formats(&mut self, path: &str, map: &Map<String, Value>) -> Vec<TimeFormat> {
        let at = join(path, "timeFormats");
        let names = match (map.get("timeFormats"), map.get("timeFormat")) {
            (None, None) => return vec![TimeFormat::Rfc3339],
            (Some(list), None) => self.texts(&at, Some(list)),
            (None, Some(one)) => self.text(&join(path, "timeFormat"), Some(one)).into_iter().collect(),
            (Some(_), Some(_)) => {
                self.fault::<()>(&at, "either timeFormat or timeFormats, not both");
                return Vec::new();
            }
        };
        if names.is_empty() {
            self.fault::<()>(&at, "at least one format is needed");
        }
        names.iter().filter_map(|name| self.format(&at, name)).collect()
    }

    fn format(&mut self, path: &str, name: &str) -> Option<TimeFormat> {
        match name {
            "rfc3339" => Some(TimeFormat::Rfc3339),
            "unix" => Some(TimeFormat::Unix(Unit::Seconds)),
            "unix_ms" => Some(TimeFormat::Unix(Unit::Millis)),
            "unix_us" => Some(TimeFormat::Unix(Unit::Micros)),
            "unix_ns" => Some(TimeFormat::Unix(Unit::Nanos)),
            _ => self.fault(path, format!("{name:?} is not supported: use rfc3339, unix, unix_ms, unix_us or unix_ns")),
        }
    }

    fn keys(&mut self, path: &str, map: &Map<String, Value>, known: &[&str]) {
        for (key, value) in map {
            let switched_off = value == &Value::Bool(false);
            if UNSUPPORTED.contains(&key.as_str()) && !(switched_off && known.contains(&key.as_str())) {
                self.fault::<()>(&join(path, key), "is not supported");
            } else if !known.contains(&key.as_str()) {
                self.fault::<()>(&join(path, key), "is not known here");
            }
        }
    }

    fn flag(&mut self, path: &str, map: &Map<String, Value>, key: &str) -> bool {
        match map.get(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.fault::<()>(&join(path, key), "must be true or false");
                false
            }
        }
    }

    /// A text that must be there.
    fn name(&mut self, path: &str, value: Option<&Value>) -> Option<String> {
        match self.text(path, Some(value.unwrap_or(&Value::Null)))? {
            text if text.is_empty() => self.fault(path, "must not be empty"),
            text => Some(text),
        }
    }

    /// A text; `None` without a fault if it is absent.
    fn text(&mut self, path: &str, value: Option<&Value>) -> Option<String> {
        match value? {
            Value::String(text) => Some(text.clone()),
            Value::Null => self.fault(path, "is missing"),
            _ => self.fault(path, "must be a text"),
        }
    }

    fn texts(&mut self, path: &str, value: Option<&Value>) -> Vec<String> {
        match value {
            None => Vec::new(),
            Some(Value::Array(list)) => list.iter().filter_map(|item| self.text(path, Some(item))).collect(),
            Some(_) => {
                self.fault::<()>(path, "must be a list");
                Vec::new()
            }
        }
    }

    /// Notes a fault; `None`, so that a caller can return it.
    fn fault<T>(&mut self, path: &str, reason: impl Into<String>) -> Option<T> {
        self.faults.push(Fault { path: path.into(), reason: reason.into() });
        None
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}
