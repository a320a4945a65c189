//! Definitions of lookup tables, read from Panther's YAML.
//!
//! A definition says which values of which log types a table explains; a schema, in the language of log types, says what its rows
//! hold, which column is a range of addresses and which one ends a row's life. Both are files beside the data. The shipped ones are
//! read in the same way.

mod load;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use sha2::{Digest, Sha256};

use super::{fault::InvalidDefinitions, selector::Selector};
use crate::schema::{Fault, Kind, Schema};

/// The most tables that definitions may name. Each costs a look-up per selector and event.
pub const MAX_TABLES: usize = 200;

/// The longest file of definitions, in bytes.
pub const MAX_DEFINITION_BYTES: usize = 1 << 20;

/// Panther's default for `Refresh.PeriodMinutes`.
const DEFAULT_PERIOD: Duration = Duration::from_hours(1);

/// The definitions that come with the program. `items`, `vaults`, `users`, `groups` and `devices` cover every UUID of the three log
/// types that names such a thing; an audit event's object may be any of them. `1Password Translation` is the table of Panther's
/// guide, under the name that rules written with it read.
const SHIPPED: [(&str, &str); 7] = [
    ("items.yml", include_str!("../../../../schemas/lookups/items.yml")),
    ("vaults.yml", include_str!("../../../../schemas/lookups/vaults.yml")),
    ("users.yml", include_str!("../../../../schemas/lookups/users.yml")),
    ("groups.yml", include_str!("../../../../schemas/lookups/groups.yml")),
    ("devices.yml", include_str!("../../../../schemas/lookups/devices.yml")),
    ("1password_translation.yml", include_str!("../../../../schemas/lookups/1password_translation.yml")),
    ("name_schema.yml", include_str!("../../../../schemas/lookups/name_schema.yml")),
];

/// What a table is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The table's name: its key below `p_enrichment`.
    pub name: String,
    /// Whether it is in use.
    pub enabled: bool,
    /// The name of the schema of its rows.
    pub schema: String,
    /// Where its data come from.
    pub data: Data,
    /// The columns that a row may be found by, the first that a row has: Panther's `PrimaryKey`, then our `Latchkey.AlsoKeys`.
    pub keys: Vec<String>,
    /// The log types it explains.
    pub log_types: Vec<Association>,
    /// Columns that no record is to show, as dotted paths.
    pub omit: Vec<String>,
    /// Columns that every record shows as [`super::REDACTED`], as dotted paths.
    pub redact: Vec<String>,
    /// Whether upper and lower case are the same in keys. By default they are where the key's column is called a UUID.
    pub ignore_case: bool,
}

/// Where a table's data come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// A file named like the table.
    Named,
    /// A file of this name.
    File(String),
    /// A file that somebody keeps up to date.
    Refresh {
        /// The last part of Panther's `ObjectPath`.
        file: String,
        /// How often new data are expected.
        period: Duration,
        /// At which age the data are a cause for alarm.
        alarm: Option<Duration>,
    },
}

/// A log type with the values of it that are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Association {
    /// The log type's name.
    pub log_type: String,
    /// Empty: the fields of its schema that carry an indicator which the table's key carries too.
    pub selectors: Vec<Selector>,
}

/// Definitions with the schemas they name.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    pub(super) tables: BTreeMap<String, Definition>,
    pub(super) schemas: BTreeMap<String, Schema>,
    /// SHA-256 over the files that do not come with the program; empty without such.
    pub(super) digest: Vec<u8>,
}

/// What a file holds.
enum Parsed {
    Table(Box<Table>),
    Schema(Box<Schema>),
}

/// A definition with the lines that later faults lead to.
struct Table {
    definition: Definition,
    name_line: usize,
    key_line: usize,
}

/// The definitions of files, each with its file's name.
#[derive(Default)]
struct Read<'f> {
    tables: Vec<(&'f str, Table)>,
    schemas: BTreeMap<String, Schema>,
}

impl Definitions {
    /// Those that come with the program.
    #[must_use]
    pub fn shipped() -> Self {
        let Read { tables, schemas } = Read::files(&SHIPPED).expect("a test reads the shipped definitions");
        Self { tables: by_name(tables), schemas, digest: Vec::new() }
    }

    /// The shipped definitions and the given files, each as its name (for messages) and its text, which take the place of shipped
    /// ones of the same name. All faults of all files are reported at once.
    pub fn load(files: &[(&str, &str)]) -> Result<Self, InvalidDefinitions> {
        let mut definitions = Self::shipped();
        let own = Read::files(files)?;
        definitions.schemas.extend(own.schemas);
        let faults: Vec<_> = own.tables.iter().filter_map(|(file, table)| definitions.bad_key(file, table)).collect();
        if !faults.is_empty() {
            return Err(InvalidDefinitions { faults });
        }
        definitions.tables.extend(by_name(own.tables));
        if !files.is_empty() {
            let hash = files.iter().fold(Sha256::new(), |hash, (name, text)| {
                let hash = hash.chain_update((name.len() as u64).to_be_bytes()).chain_update(name);
                hash.chain_update((text.len() as u64).to_be_bytes()).chain_update(text)
            });
            definitions.digest = hash.finalize().to_vec();
        }
        Ok(definitions)
    }

    /// The tables, in the order of their names.
    pub fn tables(&self) -> impl Iterator<Item = &Definition> {
        self.tables.values()
    }

    /// A key that the table's schema does not have, or of a type that is no name. A schema that is not there is no fault yet: a
    /// MaxMind database needs none.
    fn bad_key(&self, file: &str, table: &Table) -> Option<(String, Fault)> {
        let definition = Some(&table.definition).filter(|definition| definition.enabled)?;
        let (schema, key) = (self.schemas.get(&definition.schema)?, definition.keys.first()?);
        let reason = match schema.root.field(key).map(|field| found_by(&field.kind)) {
            None => format!("{key} is no field of {}", schema.log_type),
            Some(None) => format!("{key} of {} holds no text or number that a row could be found by", schema.log_type),
            Some(Some(_)) => return None,
        };
        Some((file.into(), Fault::new(table.key_line, "LogTypeMap.PrimaryKey", reason)))
    }
}

impl<'f> Read<'f> {
    fn files(files: &[(&'f str, &str)]) -> Result<Self, InvalidDefinitions> {
        let mut read = Self::default();
        let mut faults: Vec<(String, Fault)> = Vec::new();
        for (file, text) in files {
            match load::file(text) {
                Ok(parsed) => {
                    let fault = read.add(file, parsed);
                    faults.extend(fault.map(|fault| ((*file).into(), fault)));
                }
                Err(found) => faults.extend(found.into_iter().map(|fault| ((*file).into(), fault))),
            }
        }
        if faults.is_empty() { Ok(read) } else { Err(InvalidDefinitions { faults }) }
    }

    fn add(&mut self, file: &'f str, parsed: Parsed) -> Option<Fault> {
        let (line, path, name) = match parsed {
            Parsed::Table(table) => {
                let name = &table.definition.name;
                if self.tables.len() == MAX_TABLES {
                    return Some(Fault::new(0, "", format!("more than {MAX_TABLES} tables")));
                }
                if !self.tables.iter().any(|(_, other)| other.definition.name == *name) {
                    self.tables.push((file, *table));
                    return None;
                }
                (table.name_line, "LookupName", name.clone())
            }
            Parsed::Schema(schema) => {
                let name = schema.log_type.clone();
                match self.schemas.entry(name.clone()) {
                    Entry::Vacant(place) => {
                        place.insert(*schema);
                        return None;
                    }
                    Entry::Occupied(_) => (0, "schema", name),
                }
            }
        };
        Some(Fault::new(line, path, format!("{name} is defined by another file too")))
    }
}

/// What a row is found by whose key is of this type: by each element of an array. `None`: by nothing.
pub(super) fn found_by(kind: &Kind) -> Option<&Kind> {
    let value = match kind {
        Kind::Embedded(inner) if matches!(inner.as_ref(), Kind::Array(_)) => return found_by(inner),
        Kind::Array(element) => element,
        value => value,
    };
    Some(value).filter(|value| !matches!(value, Kind::Object(_) | Kind::Array(_) | Kind::Embedded(_)))
}

fn by_name(tables: Vec<(&str, Table)>) -> BTreeMap<String, Definition> {
    tables.into_iter().map(|(_, table)| (table.definition.name.clone(), table.definition)).collect()
}

impl Definition {
    /// A table without a definition: a database of addresses, joined where 1Password's events have one.
    pub(super) fn of_addresses(name: &str) -> Self {
        let association = |(log_type, selector): (&str, &str)| Association {
            log_type: log_type.into(),
            selectors: vec![Selector::parse(selector).expect("a plain path")],
        };
        let places = [
            ("OnePassword.AuditEvent", "session.ip"),
            ("OnePassword.ItemUsage", "client.ip_address"),
            ("OnePassword.SignInAttempt", "client.ip_address"),
        ];
        Self {
            name: name.into(),
            enabled: true,
            schema: String::new(),
            data: Data::Named,
            keys: Vec::new(),
            log_types: places.into_iter().map(association).collect(),
            omit: Vec::new(),
            redact: Vec::new(),
            ignore_case: false,
        }
    }

    /// Whether a file of this name holds the table's data.
    #[must_use]
    pub fn has_data_in(&self, file: &str) -> bool {
        match &self.data {
            Data::File(name) | Data::Refresh { file: name, .. } if name == file => true,
            _ => super::stem_of_data(file) == Some(self.name.as_str()),
        }
    }

    /// How often new data are expected, and at which age they are a cause for alarm. `None` for tables that nobody refreshes.
    #[must_use]
    pub fn refresh(&self) -> Option<(Duration, Option<Duration>)> {
        match self.data {
            Data::Refresh { period, alarm, .. } => Some((period, alarm)),
            Data::Named | Data::File(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
