//! Lookup tables: names for UUIDs and knowledge about addresses, joined to events as `p_enrichment`.
//!
//! Tables are loaded whole, never changed, and replaced as a set; a version derived from their content says which set an event was
//! joined with. Rows are kept as ready JSON, so that a match costs one look-up and one copy.

mod build;
mod columns;
mod definition;
mod enrich;
mod fault;
pub mod import;
mod learned;
mod read;
mod selector;
mod staleness;
mod table;

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc, time::Duration};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use self::{
    build::Plan,
    definition::TableSchema,
    enrich::Joins,
    table::{Exact, Moment, Table},
};
pub use self::{
    build::{BadRow, MAX_BAD_ROWS},
    columns::REDACTED,
    definition::{Association, Data, Definition, Definitions, MAX_DEFINITION_BYTES, MAX_TABLES},
    enrich::Join,
    fault::{Fault, InvalidDefinitions},
    learned::{Learned, MAX_LEARNED},
    read::RowFault,
    selector::{Invalid as InvalidSelector, Selector, Step, Target},
    staleness::{Staleness, staleness},
    table::{MAX_KEY_BYTES, MAX_ROW_BYTES, MAX_ROWS, MAX_TEXT_BYTES},
};
use crate::{
    indicator::{Column, Indicator},
    schema::{self, Schemas},
};

/// The longest file, in bytes. A million rows of items take about 120 MB.
pub const MAX_FILE_BYTES: usize = 256 << 20;

/// What files with a table's data are called at their ends.
pub const EXTENSIONS: [&str; 5] = ["csv", "json", "jsonl", "ndjson", "mmdb"];

/// The table that events themselves add to.
const USERS: &str = "users";

/// The tables of a normalizer. Cheap to clone; clones share the tables.
#[derive(Clone, Debug)]
pub struct Lookups {
    set: Arc<Set>,
    now: Moment,
    learned: Option<Arc<Learned>>,
}

#[derive(Debug, Default)]
struct Set {
    version: String,
    email_usernames: bool,
    by_log_type: BTreeMap<String, Joins>,
}

/// A table's data as it was found.
#[derive(Clone, Copy)]
pub struct File<'a> {
    /// The file's name without its directory: `items.jsonl`.
    pub name: &'a str,
    /// The file's content.
    pub bytes: &'a [u8],
}

/// What tables are made from, beside their data.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Which tables there are and what they explain.
    pub definitions: &'a Definitions,
    /// The schemas of the log types: where their indicators are.
    pub schemas: &'a Schemas,
    /// Whether the local part of an e-mail address counts as a user's name, as in [`crate::normalize::Options`].
    pub email_usernames: bool,
}

/// What came of loading. Holds no cell of any table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The tables that are in use, in the order of their names.
    pub tables: Vec<TableReport>,
    /// Files that belong to no table in use.
    pub ignored: Vec<String>,
}

/// What came of loading one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableReport {
    /// The table's name.
    pub name: String,
    /// The file with its data.
    pub file: String,
    /// Rows in use; of a MaxMind database the nodes of its tree.
    pub rows: usize,
    /// Rows that took the place of an earlier one with the same key.
    pub repeated: usize,
    /// Rows that were left out.
    pub bad: usize,
    /// The first [`MAX_BAD_ROWS`] of them.
    pub first_bad: Vec<BadRow>,
    /// As in [`Definition::refresh`].
    pub refresh: Option<(Duration, Option<Duration>)>,
}

/// Why no set of tables could be made. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lookup table {file}: {reason}")]
pub struct Error {
    /// The file at fault.
    pub file: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// More than [`MAX_FILE_BYTES`].
    #[error("longer than {MAX_FILE_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_ROWS`].
    #[error("more than {MAX_ROWS} rows")]
    TooManyRows,
    /// More than [`MAX_TEXT_BYTES`].
    #[error("more than {MAX_TEXT_BYTES} bytes of rows")]
    TooMuchText,
    /// More than [`MAX_TABLES`].
    #[error("more than {MAX_TABLES} tables")]
    TooManyTables,
    /// The first line is no header.
    #[error("the header row cannot be read")]
    Header,
    /// No column to find rows by.
    #[error("the header does not name the table's primary key")]
    NoKey,
    /// The definition names a schema that is not there.
    #[error("its schema {0} is not among the definitions")]
    NoSchema(String),
    /// Not a MaxMind database.
    #[error("is no MaxMind database")]
    NoDatabase,
    /// Two files for one table.
    #[error("another file has the data of this table")]
    Twice,
    /// There are rows, and none is usable.
    #[error("no row can be used")]
    AllBad,
}

impl Default for Lookups {
    fn default() -> Self {
        Self { set: Arc::default(), now: Moment::START, learned: None }
    }
}

impl Lookups {
    /// Loads files with the data of the shipped tables. Files of no known table are reported and otherwise ignored.
    pub fn load(files: &[File<'_>]) -> Result<(Self, Report), Error> {
        let (definitions, schemas) = (Definitions::shipped(), Schemas::default());
        Self::load_from(Sources { definitions: &definitions, schemas: &schemas, email_usernames: true }, files)
    }

    /// Loads files with the data of tables. A MaxMind database without a definition becomes a table named like its file.
    pub fn load_from(sources: Sources<'_>, files: &[File<'_>]) -> Result<(Self, Report), Error> {
        let mut report = Report::default();
        let known = assign(sources.definitions, files, &mut report)?;
        let mut set = Set {
            version: version(&known, sources.definitions),
            email_usernames: sources.email_usernames,
            by_log_type: BTreeMap::new(),
        };
        for (definition, file) in known.values() {
            let failed = |reason| Error { file: file.name.into(), reason };
            let database = is_database(file.name);
            let schema = sources.definitions.schemas.get(&definition.schema);
            if schema.is_none() && !database {
                return Err(failed(Reason::NoSchema(definition.schema.clone())));
            }
            let (table, loaded) = read::read(file, Plan::new(definition, schema)).map_err(failed)?;
            let (name, file) = (definition.name.clone(), file.name.to_owned());
            report.tables.push(TableReport { name, file, refresh: definition.refresh(), ..loaded });
            set.join(definition, schema, &Arc::new(table), database, sources.schemas);
        }
        if let Some(users) = sources.definitions.tables.get(USERS)
            && users.enabled
            && !known.contains_key(USERS)
        {
            // Nothing in it but what events teach.
            set.join(users, None, &Arc::new(Table::Exact(Exact::new(true))), false, sources.schemas);
        }
        set.by_log_type.values_mut().for_each(|joins| joins.joins.sort_by(|a, b| a.opening().cmp(b.opening())));
        Ok((Self { set: Arc::new(set), ..Self::default() }, report))
    }

    /// Identifies the tables' content: 32 hex digits, empty without tables.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.set.version
    }

    /// The same tables as they are at `now`: rows whose life has ended by then do not match. Before this is said, all do.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now: Moment::of(now), ..self.clone() }
    }

    /// The same tables, with what events taught standing in where `users` has no row, for log types that name users by bare fields
    /// (`actor_uuid`). Where the user is an object of the event (`user.uuid`), name and address stand beside the UUID.
    #[must_use]
    pub fn with_learned(&self, learned: Arc<Learned>) -> Self {
        Self { learned: Some(learned), ..self.clone() }
    }
}

impl Set {
    fn join(
        &mut self,
        definition: &Definition,
        schema: Option<&TableSchema>,
        table: &Arc<Table>,
        database: bool,
        schemas: &Schemas,
    ) {
        for association in &definition.log_types {
            let joins = self.by_log_type.entry(association.log_type.clone()).or_insert_with(|| Joins {
                indicators: schemas.get(&association.log_type).map(indicators).unwrap_or_default(),
                joins: Vec::new(),
            });
            let selectors = if association.selectors.is_empty() {
                implied(definition, schema, database, &joins.indicators)
            } else {
                association.selectors.clone()
            };
            let learns = definition.name == USERS && selectors.iter().all(Selector::is_bare);
            // Without rows, only what events teach can match.
            if table.rows() > 0 || learns {
                joins.joins.push(Join::new(&definition.name, Arc::clone(table), selectors, learns));
            }
        }
    }
}

/// Which table each file belongs to, by the tables' names.
fn assign<'f, 'a>(
    definitions: &Definitions,
    files: &'f [File<'a>],
    report: &mut Report,
) -> Result<BTreeMap<String, (Definition, &'f File<'a>)>, Error> {
    let mut known = BTreeMap::new();
    for file in files {
        let failed = |reason| Error { file: file.name.into(), reason };
        let defined = definitions.tables.values().find(|definition| definition.has_data_in(file.name)).cloned();
        let database = || stem_of_data(file.name).filter(|_| is_database(file.name)).map(Definition::of_addresses);
        match defined.or_else(database).filter(|definition| definition.enabled) {
            None => report.ignored.push(file.name.into()),
            Some(definition) if known.contains_key(&definition.name) => return Err(failed(Reason::Twice)),
            Some(_) if known.len() == MAX_TABLES => return Err(failed(Reason::TooManyTables)),
            Some(definition) => _ = known.insert(definition.name.clone(), (definition, file)),
        }
    }
    Ok(known)
}

/// Without selectors, the indicators decide: those fields are looked up that are collected where the table's key would be.
fn implied(
    definition: &Definition,
    schema: Option<&TableSchema>,
    database: bool,
    fields: &[(Vec<Step>, Indicator)],
) -> Vec<Selector> {
    let key = definition.keys.first().and_then(|key| schema?.field(key));
    let mut wanted: Vec<Column> =
        key.iter().flat_map(|key| &key.indicators).flat_map(|one| one.columns()).copied().collect();
    if wanted.is_empty() && (database || key.is_some_and(|key| key.ranges)) {
        wanted.push(Column::IpAddresses);
    }
    let fits =
        |indicator: &Indicator| wanted.is_empty() || indicator.columns().iter().any(|column| wanted.contains(column));
    let mut selectors: Vec<Selector> = Vec::new();
    for (path, _) in fields.iter().filter(|(_, indicator)| fits(indicator)) {
        let selector = Selector::of_field(path.clone());
        if !selectors.contains(&selector) {
            selectors.push(selector);
        }
    }
    selectors
}

/// The places of a log type that carry indicators.
fn indicators(schema: &schema::Schema) -> Vec<(Vec<Step>, Indicator)> {
    fn walk(kind: &schema::Kind, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Indicator)>) {
        match kind {
            schema::Kind::String { indicators, .. } => {
                found.extend(indicators.iter().map(|indicator| (path.clone(), *indicator)));
            }
            schema::Kind::Object(object) => fields(object, path, found),
            schema::Kind::Array(element) => {
                path.push(Step::Each);
                walk(element, path, found);
                path.pop();
            }
            _ => {}
        }
    }
    fn fields(object: &schema::Object, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Indicator)>) {
        for field in &object.fields {
            path.push(Step::Key(field.name.clone()));
            walk(&field.kind, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    fields(&schema.root, &mut Vec::new(), &mut found);
    found
}

/// The name of a file with a table's data, without its extension.
fn stem_of_data(file: &str) -> Option<&str> {
    let (stem, extension) = file.rsplit_once('.')?;
    (!stem.is_empty() && EXTENSIONS.contains(&extension)).then_some(stem)
}

/// Whether a file of this name is a MaxMind database.
fn is_database(file: &str) -> bool {
    file.rsplit_once('.').is_some_and(|(_, extension)| extension == "mmdb")
}

/// The first 16 bytes of SHA-256 over name and content of each file, each preceded by its length in 8 bytes, big-endian, and over
/// the definitions that do not come with the program.
fn version(files: &BTreeMap<String, (Definition, &File<'_>)>, definitions: &Definitions) -> String {
    if files.is_empty() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for (_, file) in files.values() {
        for part in [file.name.as_bytes(), file.bytes] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hash.update(&definitions.digest);
    hash.finalize()[..16].iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("writing to a String does not fail");
        digits
    })
}

#[cfg(test)]
mod tests;
