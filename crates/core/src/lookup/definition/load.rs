//! Reads one file: a definition, or a schema of a table's rows.
//!
//! Works on the YAML tree and not through typed structs, so that one run names all faults, each with its line and path.

use std::time::Duration;

use super::{Association, DEFAULT_PERIOD, Data, Definition, MAX_DEFINITION_BYTES, Parsed, Table};
use crate::{
    lookup::selector::Selector,
    schema::{
        self, Fault, MAX_FAULTS,
        yaml::{self, Node},
    },
};

/// The most selectors of one log type.
const MAX_SELECTORS: usize = 64;

/// The most log types of one table. Panther's own tables stay below a hundred.
const MAX_LOG_TYPES: usize = 1_000;

const MINUTE: Duration = Duration::from_mins(1);

/// What Panther knows. `Tags` and `DisplayName` are for people; where an `ObjectPath` is read from and with which rights is not
/// ours to do, so the rest of `Refresh` is taken and left alone.
const TOP: [&str; 12] = [
    "AnalysisType",
    "LookupName",
    "Enabled",
    "Schema",
    "Filename",
    "Refresh",
    "LogTypeMap",
    "Description",
    "Reference",
    "Tags",
    "DisplayName",
    "Latchkey",
];
const REFRESH: [&str; 8] = [
    "ObjectPath",
    "PeriodMinutes",
    "AlarmPeriodMinutes",
    "RoleARN",
    "RoleArn",
    "ObjectKMSKey",
    "StorageProvider",
    "ExternalID",
];

/// Where Panther's tables may come from and ours do not.
const QUERIES: [&str; 2] = ["SnowflakeQuery", "DatabricksQuery"];

const MAPPING: &str = "must be a mapping";

pub(super) fn file(text: &str) -> Result<Parsed, Vec<Fault>> {
    if text.len() > MAX_DEFINITION_BYTES {
        return Err(vec![Fault::new(0, "", format!("longer than {MAX_DEFINITION_BYTES} bytes"))]);
    }
    let (top, faults) = yaml::read(text).map_err(|fault| vec![fault])?;
    let has = |key: &str| top.entries().unwrap_or_default().iter().any(|entry| entry.key == key);
    if !has("AnalysisType") && (has("schema") || has("fields")) {
        return schema::compile(text, schema::Of::Rows).map(|schema| Parsed::Schema(schema.into()));
    }
    let mut reader = Reader { faults };
    let table = if has("AnalysisType") {
        reader.table(&top)
    } else {
        reader.fault(&top, "", "is neither a lookup table (AnalysisType) nor a schema (schema)")
    };
    match table {
        Some(table) if reader.faults.is_empty() => Ok(Parsed::Table(table.into())),
        _ => {
            reader.faults.sort_by_key(|fault| fault.line);
            Err(reader.faults)
        }
    }
}

/// Reads a definition. Whoever notes a fault gets `None`, to be returned.
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn table(&mut self, top: &Node) -> Option<Table> {
        let before = self.faults.len();
        self.keys("", top, &[&TOP[..], &QUERIES].concat());
        for query in QUERIES.iter().filter_map(|key| top.entries()?.iter().find(|entry| entry.key == *key)) {
            let reason = "queries are not run here: let something else write the table's file";
            self.fault_at::<()>(query.line, &query.key, reason);
        }
        if top.get("AnalysisType").and_then(Node::text) != Some("lookup_table") {
            self.fault::<()>(at(top, "AnalysisType"), "AnalysisType", "must be lookup_table");
        }
        let name = self.name("", top, "LookupName");
        let schema = self.name("", top, "Schema");
        let enabled = self.flag("", top, "Enabled");
        if enabled.is_none() && top.get("Enabled").is_none() {
            self.fault::<()>(top, "Enabled", "is missing");
        }
        for key in ["Description", "Reference"] {
            self.text("", top, key);
        }
        let data = self.data(top);
        let (primary, log_types) = self.log_type_map(top);
        let own = self.own_keys(top);
        let (name, primary, schema, data) = if enabled == Some(false) {
            // Whatever else is wrong with it, it is not used.
            let name = name?;
            self.faults.truncate(before);
            (name, primary.unwrap_or_default(), schema.unwrap_or_default(), data.unwrap_or(Data::Named))
        } else {
            (name?, primary?, schema?, data?)
        };
        let ignore_case = own.ignore_case.unwrap_or_else(|| primary == "uuid" || primary.ends_with("_uuid"));
        let definition = Definition {
            name,
            enabled: enabled?,
            schema,
            data,
            keys: [primary].into_iter().chain(own.also_keys).collect(),
            log_types,
            omit: own.omit,
            redact: own.redact,
            ignore_case,
        };
        let key = top.get("LogTypeMap").map_or(top, |map| at(map, "PrimaryKey"));
        Some(Table { definition, name_line: at(top, "LookupName").line, key_line: key.line })
    }

    fn data(&mut self, top: &Node) -> Option<Data> {
        match (top.get("Filename"), top.get("Refresh")) {
            (None, None) => Some(Data::Named),
            (Some(file), Some(_)) => self.fault(file, "Filename", "either Filename or Refresh, not both"),
            (Some(_), None) => self.file_name("", top, "Filename").map(Data::File),
            (None, Some(refresh)) if refresh.entries().is_some() => {
                self.keys("Refresh", refresh, &REFRESH);
                let file = self.file_name("Refresh", refresh, "ObjectPath");
                let period = self.minutes("Refresh", refresh, "PeriodMinutes");
                let alarm = self.minutes("Refresh", refresh, "AlarmPeriodMinutes");
                Some(Data::Refresh { file: file?, period: period.unwrap_or(DEFAULT_PERIOD), alarm })
            }
            (None, Some(refresh)) => self.fault(refresh, "Refresh", MAPPING),
        }
    }

    /// The last part of a path. What comes compressed has to be unpacked by whoever brings it.
    fn file_name(&mut self, path: &str, map: &Node, key: &str) -> Option<String> {
        let whole = self.name(path, map, key)?;
        let name = whole.rsplit('/').next().unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(name);
        let reason = || format!("must end in one of {}", crate::lookup::EXTENSIONS.join(", "));
        match crate::lookup::stem_of_data(name) {
            Some(_) => Some(name.into()),
            None => self.fault(at(map, key), &join(path, key), reason()),
        }
    }

    fn log_type_map(&mut self, top: &Node) -> (Option<String>, Vec<Association>) {
        let Some(map) = top.get("LogTypeMap").filter(|map| map.entries().is_some()) else {
            self.fault::<()>(at(top, "LogTypeMap"), "LogTypeMap", "is missing or no mapping");
            return (None, Vec::new());
        };
        self.keys("LogTypeMap", map, &["PrimaryKey", "AssociatedLogTypes"]);
        let primary = self.name("LogTypeMap", map, "PrimaryKey");
        let path = "LogTypeMap.AssociatedLogTypes";
        let list = map.get("AssociatedLogTypes");
        let entries = list.map_or(Some(&[][..]), |list| list.items().filter(|items| items.len() <= MAX_LOG_TYPES));
        let Some(entries) = entries else {
            let reason = format!("must be a list of at most {MAX_LOG_TYPES} entries");
            self.fault::<()>(list.unwrap_or(map), path, reason);
            return (primary, Vec::new());
        };
        let mut log_types: Vec<Association> = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let Some(association) = self.association(&path, entry) else { continue };
            if log_types.iter().any(|other| other.log_type == association.log_type) {
                let reason = format!("{} stands here twice", association.log_type);
                self.fault::<()>(at(entry, "LogType"), &join(&path, "LogType"), reason);
            }
            log_types.push(association);
        }
        (primary, log_types)
    }

    fn association(&mut self, path: &str, entry: &Node) -> Option<Association> {
        if entry.entries().is_none() {
            return self.fault(entry, path, MAPPING);
        }
        self.keys(path, entry, &["LogType", "Selectors"]);
        let log_type = self.name(path, entry, "LogType");
        let texts = self.texts(path, entry, "Selectors");
        let path = join(path, "Selectors");
        if texts.len() > MAX_SELECTORS {
            return self.fault(at(entry, "Selectors"), &path, format!("more than {MAX_SELECTORS} selectors"));
        }
        let mut selectors: Vec<Selector> = Vec::new();
        for (index, (node, text)) in texts.into_iter().enumerate() {
            let path = format!("{path}[{index}]");
            match Selector::parse(text) {
                Ok(selector) if selectors.iter().any(|other| other.name() == selector.name()) => {
                    self.fault::<()>(node, &path, format!("{text:?} stands here twice"));
                }
                Ok(selector) => selectors.push(selector),
                Err(invalid) => {
                    self.fault::<()>(node, &path, format!("{text:?} {invalid}"));
                }
            }
        }
        Some(Association { log_type: log_type?, selectors })
    }

    fn own_keys(&mut self, top: &Node) -> OwnKeys {
        let Some(map) = top.get("Latchkey") else { return OwnKeys::default() };
        if map.entries().is_none() {
            self.fault::<()>(map, "Latchkey", MAPPING);
            return OwnKeys::default();
        }
        self.keys("Latchkey", map, &["AlsoKeys", "Omit", "Redact", "IgnoreCase"]);
        let mut texts = |key| self.texts("Latchkey", map, key).into_iter().map(|(_, text)| text.to_owned()).collect();
        let (also_keys, omit, redact) = (texts("AlsoKeys"), texts("Omit"), texts("Redact"));
        OwnKeys { also_keys, omit, redact, ignore_case: self.flag("Latchkey", map, "IgnoreCase") }
    }

    fn keys(&mut self, path: &str, map: &Node, known: &[&str]) {
        for entry in map.entries().unwrap_or_default() {
            if !known.contains(&entry.key.as_str()) {
                self.fault_at::<()>(entry.line, &join(path, &entry.key), "is not known here");
            }
        }
    }

    /// A text that must be there and say something.
    fn name(&mut self, path: &str, map: &Node, key: &str) -> Option<String> {
        match map.get(key).map(|node| (node, node.text())) {
            None => self.fault(map, &join(path, key), "is missing"),
            Some((node, Some(""))) => self.fault(node, &join(path, key), "must not be empty"),
            Some((_, Some(text))) => Some(text.to_owned()),
            Some((node, None)) => self.fault(node, &join(path, key), "must be a text"),
        }
    }

    /// A text that may be absent.
    fn text(&mut self, path: &str, map: &Node, key: &str) {
        if let Some(node) = map.get(key).filter(|node| node.text().is_none()) {
            self.fault::<()>(node, &join(path, key), "must be a text");
        }
    }

    /// The texts of a list that may be absent, each with its node.
    fn texts<'y>(&mut self, path: &str, map: &'y Node, key: &str) -> Vec<(&'y Node, &'y str)> {
        let Some(node) = map.get(key) else { return Vec::new() };
        let path = join(path, key);
        let Some(items) = node.items() else {
            self.fault::<()>(node, &path, "must be a list");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.text().filter(|text| !text.is_empty()) {
                Some(text) => texts.push((item, text)),
                None => self.fault::<()>(item, &path, "must be a list of texts").unwrap_or_default(),
            }
        }
        texts
    }

    fn flag(&mut self, path: &str, map: &Node, key: &str) -> Option<bool> {
        let node = map.get(key)?;
        node.flag().or_else(|| self.fault(node, &join(path, key), "must be true or false"))
    }

    fn minutes(&mut self, path: &str, map: &Node, key: &str) -> Option<Duration> {
        let node = map.get(key)?;
        let minutes = node.text().and_then(|text| text.parse::<u32>().ok()).filter(|minutes| *minutes > 0);
        match minutes {
            Some(minutes) => Some(MINUTE * minutes),
            None => self.fault(node, &join(path, key), "must be a number of minutes above 0"),
        }
    }

    fn fault<T>(&mut self, node: &Node, path: &str, reason: impl Into<String>) -> Option<T> {
        self.fault_at(node.line, path, reason)
    }

    fn fault_at<T>(&mut self, line: usize, path: &str, reason: impl Into<String>) -> Option<T> {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(Fault::new(line, path, reason));
        }
        None
    }
}

/// What Panther has no words for.
#[derive(Default)]
struct OwnKeys {
    also_keys: Vec<String>,
    omit: Vec<String>,
    redact: Vec<String>,
    ignore_case: Option<bool>,
}

/// The value of a key, or the mapping that lacks it.
fn at<'y>(map: &'y Node, key: &str) -> &'y Node {
    map.get(key).unwrap_or(map)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}
