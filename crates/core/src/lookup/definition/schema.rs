//! What a table's schema says about its rows.
//!
//! Only what changes a match: which columns are ranges of addresses, which carry an indicator, and which one ends a row's life. The
//! rows themselves stay as they are written, whatever types the schema gives them.

use serde_json::{Map, Value};

use super::load::Faults;
use crate::{indicator::Indicator, timestamp::Unit};

/// A table's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lookup) struct TableSchema {
    pub(in crate::lookup) name: String,
    pub(in crate::lookup) fields: Vec<Field>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lookup) struct Field {
    pub(in crate::lookup) name: String,
    /// Whether it holds ranges of addresses (`validate.cidr`).
    pub(in crate::lookup) ranges: bool,
    pub(in crate::lookup) indicators: Vec<Indicator>,
    /// `isExpiration`: how the end of the row's life is written.
    pub(in crate::lookup) expiration: Option<Vec<Format>>,
}

/// How an instant is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lookup) enum Format {
    Rfc3339,
    Unix(Unit),
}

impl TableSchema {
    pub(in crate::lookup) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The column that ends a row's life.
    pub(in crate::lookup) fn expiration(&self) -> Option<(&str, &[Format])> {
        self.fields.iter().find_map(|field| Some((field.name.as_str(), field.expiration.as_deref()?)))
    }
}

/// Reads a schema. Keys that change no match are left to whoever validates schemas.
pub(super) fn read(faults: &mut Faults, top: &Map<String, Value>) -> Option<TableSchema> {
    let name = faults.name("schema", top.get("schema"));
    let Some(Value::Array(declared)) = top.get("fields") else {
        return faults.add("fields", "a list of at least one field is needed");
    };
    let mut fields: Vec<Field> = Vec::with_capacity(declared.len());
    for (index, declared) in declared.iter().enumerate() {
        let at = format!("fields[{index}]");
        let Some(field) = field(faults, &at, declared) else { continue };
        if fields.iter().any(|earlier| earlier.name == field.name) {
            faults.add::<()>(&at, format!("{} is declared twice", field.name));
        }
        fields.push(field);
    }
    if fields.iter().filter(|field| field.expiration.is_some()).count() > 1 {
        faults.add::<()>("fields", "only one field can have isExpiration");
    }
    Some(TableSchema { name: name?, fields })
}

fn field(faults: &mut Faults, at: &str, declared: &Value) -> Option<Field> {
    let name = faults.name(&format!("{at}.name"), declared.get("name"));
    let indicators = faults.texts(&format!("{at}.indicators"), declared.get("indicators"));
    let indicators = indicators.iter().filter_map(|text| match text.parse() {
        Ok(indicator) => Some(indicator),
        Err(error) => faults.add(&format!("{at}.indicators"), format!("{error}")),
    });
    let indicators = indicators.collect();
    let expires = faults.flag(&format!("{at}.isExpiration"), declared.get("isExpiration")) == Some(true);
    if expires && declared.get("type").and_then(Value::as_str) != Some("timestamp") {
        faults.add::<()>(&format!("{at}.isExpiration"), "is for timestamps only");
    }
    let expiration = expires.then(|| formats(faults, at, declared));
    let ranges = declared.get("validate").is_some_and(|validate| validate.get("cidr").is_some());
    Some(Field { name: name?, ranges, indicators, expiration })
}

/// Without a format, `rfc3339` is meant.
fn formats(faults: &mut Faults, at: &str, declared: &Value) -> Vec<Format> {
    let mut names = faults.texts(&format!("{at}.timeFormats"), declared.get("timeFormats"));
    names.extend(faults.text(&format!("{at}.timeFormat"), declared.get("timeFormat")));
    if names.is_empty() {
        return vec![Format::Rfc3339];
    }
    let format = |name: &String| match name.as_str() {
        "rfc3339" => Some(Format::Rfc3339),
        "unix" => Some(Format::Unix(Unit::Seconds)),
        "unix_ms" => Some(Format::Unix(Unit::Millis)),
        "unix_us" => Some(Format::Unix(Unit::Micros)),
        "unix_ns" => Some(Format::Unix(Unit::Nanos)),
        _ => faults.add(
            &format!("{at}.timeFormats"),
            format!("{name:?} is not supported: use rfc3339, unix, unix_ms, unix_us or unix_ns"),
        ),
    };
    names.iter().filter_map(format).collect()
}
