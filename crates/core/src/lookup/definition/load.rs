//! Reads one file: a definition or a schema of a table.
//!
//! Works on the YAML tree and not through typed structs, so that one run names all faults, each with its path.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Association, DEFAULT_PERIOD, Data, Definition, MAX_DEFINITION_BYTES, Parsed, schema};
use crate::lookup::{fault::Fault, selector::Selector};

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

pub(super) fn file(text: &str) -> Result<Parsed, Vec<Fault>> {
    let mut faults = Faults::default();
    let parsed = read(&mut faults, text);
    match parsed {
        Some(parsed) if faults.0.is_empty() => Ok(parsed),
        _ => Err(faults.0),
    }
}

fn read(faults: &mut Faults, text: &str) -> Option<Parsed> {
    if text.len() > MAX_DEFINITION_BYTES {
        return faults.add("", format!("longer than {MAX_DEFINITION_BYTES} bytes"));
    }
    let top = match serde_saphyr::from_str::<Value>(text) {
        Ok(Value::Object(top)) => top,
        Ok(_) => return faults.add("", "is no mapping"),
        Err(error) => return faults.add("", error.to_string()),
    };
    match (top.contains_key("AnalysisType"), top.contains_key("schema")) {
        (true, _) => definition(faults, &top).map(Parsed::Table),
        (false, true) => schema::read(faults, &top).map(Parsed::Schema),
        (false, false) => faults.add("", "is neither a lookup table (AnalysisType) nor a schema (schema)"),
    }
}

fn definition(faults: &mut Faults, top: &Map<String, Value>) -> Option<Definition> {
    faults.unknown_keys("", top, &TOP);
    if top.get("AnalysisType").and_then(Value::as_str) != Some("lookup_table") {
        faults.add::<()>("AnalysisType", "must be lookup_table");
    }
    let name = faults.name("LookupName", top.get("LookupName"));
    let schema = faults.name("Schema", top.get("Schema"));
    let enabled = faults.flag("Enabled", top.get("Enabled"));
    if enabled.is_none() && !top.contains_key("Enabled") {
        faults.add::<()>("Enabled", "is missing");
    }
    for key in ["Description", "Reference"] {
        faults.text(key, top.get(key));
    }
    let data = data(faults, top);
    let (primary, log_types) = log_type_map(faults, top);
    let own = own_keys(faults, top);
    let primary = primary?;
    let ignore_case = own.ignore_case.unwrap_or_else(|| primary == "uuid" || primary.ends_with("_uuid"));
    Some(Definition {
        name: name?,
        enabled: enabled?,
        schema: schema?,
        data: data?,
        keys: [primary].into_iter().chain(own.also_keys).collect(),
        log_types,
        omit: own.omit,
        redact: own.redact,
        ignore_case,
    })
}

fn data(faults: &mut Faults, top: &Map<String, Value>) -> Option<Data> {
    match (top.get("Filename"), top.get("Refresh")) {
        (None, None) => Some(Data::Named),
        (Some(_), Some(_)) => faults.add("Filename", "either Filename or Refresh, not both"),
        (Some(file), None) => file_name(faults, "Filename", file).map(Data::File),
        (None, Some(Value::Object(refresh))) => {
            faults.unknown_keys("Refresh", refresh, &REFRESH);
            let path = refresh.get("ObjectPath").unwrap_or(&Value::Null);
            let file = file_name(faults, "Refresh.ObjectPath", path);
            let period = faults.minutes("Refresh.PeriodMinutes", refresh.get("PeriodMinutes"));
            let alarm = faults.minutes("Refresh.AlarmPeriodMinutes", refresh.get("AlarmPeriodMinutes"));
            Some(Data::Refresh { file: file?, period: period.unwrap_or(DEFAULT_PERIOD), alarm })
        }
        (None, Some(_)) => faults.add("Refresh", "must be a mapping"),
    }
}

/// The last part of a path.
fn file_name(faults: &mut Faults, at: &str, value: &Value) -> Option<String> {
    let path = faults.name(at, Some(value))?;
    let name = path.rsplit('/').next().unwrap_or_default();
    match crate::lookup::stem_of_data(name) {
        Some(_) => Some(name.into()),
        None => faults.add(at, format!("must end in one of {}", crate::lookup::EXTENSIONS.join(", "))),
    }
}

fn log_type_map(faults: &mut Faults, top: &Map<String, Value>) -> (Option<String>, Vec<Association>) {
    let Some(Value::Object(map)) = top.get("LogTypeMap") else {
        faults.add::<()>("LogTypeMap", "is missing or no mapping");
        return (None, Vec::new());
    };
    faults.unknown_keys("LogTypeMap", map, &["PrimaryKey", "AssociatedLogTypes"]);
    let primary = faults.name("LogTypeMap.PrimaryKey", map.get("PrimaryKey"));
    let at = "LogTypeMap.AssociatedLogTypes";
    let list = match map.get("AssociatedLogTypes") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(list)) if list.len() <= MAX_LOG_TYPES => list.as_slice(),
        Some(_) => {
            faults.add::<()>(at, format!("must be a list of at most {MAX_LOG_TYPES} entries"));
            &[]
        }
    };
    let mut log_types: Vec<Association> = Vec::new();
    for (index, entry) in list.iter().enumerate() {
        let Some(association) = association(faults, &format!("{at}[{index}]"), entry) else { continue };
        if log_types.iter().any(|other| other.log_type == association.log_type) {
            faults.add::<()>(&format!("{at}[{index}].LogType"), format!("{} stands here twice", association.log_type));
        }
        log_types.push(association);
    }
    (primary, log_types)
}

fn association(faults: &mut Faults, at: &str, entry: &Value) -> Option<Association> {
    let Value::Object(entry) = entry else { return faults.add(at, "must be a mapping") };
    faults.unknown_keys(at, entry, &["LogType", "Selectors"]);
    let log_type = faults.name(&format!("{at}.LogType"), entry.get("LogType"));
    let at = format!("{at}.Selectors");
    let texts = faults.texts(&at, entry.get("Selectors"));
    if texts.len() > MAX_SELECTORS {
        return faults.add(&at, format!("more than {MAX_SELECTORS} selectors"));
    }
    let mut selectors: Vec<Selector> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Selector::parse(text) {
            Ok(selector) if selectors.iter().any(|other| other.name() == selector.name()) => {
                faults.add::<()>(&format!("{at}[{index}]"), format!("{text:?} stands here twice"));
            }
            Ok(selector) => selectors.push(selector),
            Err(invalid) => {
                faults.add::<()>(&format!("{at}[{index}]"), format!("{text:?} {invalid}"));
            }
        }
    }
    Some(Association { log_type: log_type?, selectors })
}

/// What Panther has no words for.
#[derive(Default)]
struct OwnKeys {
    also_keys: Vec<String>,
    omit: Vec<String>,
    redact: Vec<String>,
    ignore_case: Option<bool>,
}

fn own_keys(faults: &mut Faults, top: &Map<String, Value>) -> OwnKeys {
    let map = match top.get("Latchkey") {
        None => return OwnKeys::default(),
        Some(Value::Object(map)) => map,
        Some(_) => {
            faults.add::<()>("Latchkey", "must be a mapping");
            return OwnKeys::default();
        }
    };
    faults.unknown_keys("Latchkey", map, &["AlsoKeys", "Omit", "Redact", "IgnoreCase"]);
    OwnKeys {
        also_keys: faults.texts("Latchkey.AlsoKeys", map.get("AlsoKeys")),
        omit: faults.texts("Latchkey.Omit", map.get("Omit")),
        redact: faults.texts("Latchkey.Redact", map.get("Redact")),
        ignore_case: faults.flag("Latchkey.IgnoreCase", map.get("IgnoreCase")),
    }
}

/// The faults of one file. Whoever notes one gets `None`, to be returned.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add<T>(&mut self, path: &str, reason: impl Into<String>) -> Option<T> {
        self.0.push(Fault { path: path.into(), reason: reason.into() });
        None
    }

    pub(super) fn unknown_keys(&mut self, path: &str, map: &Map<String, Value>, known: &[&str]) {
        for key in map.keys().filter(|key| !known.contains(&key.as_str())) {
            let separator = if path.is_empty() { "" } else { "." };
            self.add::<()>(&format!("{path}{separator}{key}"), "is not known here");
        }
    }

    /// A text that must be there and say something.
    pub(super) fn name(&mut self, path: &str, value: Option<&Value>) -> Option<String> {
        match value {
            None | Some(Value::Null) => self.add(path, "is missing"),
            Some(Value::String(text)) if text.is_empty() => self.add(path, "must not be empty"),
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => self.add(path, "must be a text"),
        }
    }

    /// A text that may be absent.
    pub(super) fn text(&mut self, path: &str, value: Option<&Value>) -> Option<String> {
        match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => self.add(path, "must be a text"),
        }
    }

    pub(super) fn texts(&mut self, path: &str, value: Option<&Value>) -> Vec<String> {
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(list)) => list.iter().filter_map(|item| self.name(path, Some(item))).collect(),
            Some(_) => {
                self.add::<()>(path, "must be a list");
                Vec::new()
            }
        }
    }

    pub(super) fn flag(&mut self, path: &str, value: Option<&Value>) -> Option<bool> {
        match value {
            None => None,
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => self.add(path, "must be true or false"),
        }
    }

    fn minutes(&mut self, path: &str, value: Option<&Value>) -> Option<Duration> {
        let minutes = value?.as_u64().and_then(|minutes| u32::try_from(minutes).ok()).filter(|minutes| *minutes > 0);
        match minutes {
            Some(minutes) => Some(MINUTE * minutes),
            None => self.add(path, "must be a number of minutes above 0"),
        }
    }
}
