//! Puts a set of tables together: which file belongs to which table, and where each table is joined.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use sha2::{Digest, Sha256};

use super::{
    Definition, Definitions, Error, File, MAX_TABLES, Reason, Report, Selector, Sources, Step, TableReport,
    definition::found_by,
    enrich::Join,
    read, stem_of_data,
    table::{Exact, Table},
};
use crate::{
    indicator::{Column, Indicator},
    schema::{Kind, Object, Schema, Schemas, Validate},
};

/// The table that events themselves add to.
const USERS: &str = "users";

/// Tables, by what they explain.
#[derive(Debug, Default)]
pub(super) struct Set {
    pub(super) version: String,
    /// The joins of a log type in the order of the tables' names.
    pub(super) by_log_type: BTreeMap<String, Vec<Join>>,
}

/// Loads files with the data of tables.
pub(super) fn assemble(sources: Sources<'_>, files: &[File<'_>]) -> Result<(Set, Report), Error> {
    let mut report = Report::default();
    let known = assign(sources.definitions, files, &mut report)?;
    let mut set = Set { version: version(&known, sources.definitions), by_log_type: BTreeMap::new() };
    for (definition, file) in known.values() {
        let failed = |reason| Error { file: file.name.into(), reason };
        let database = is_database(file.name);
        let schema = sources.definitions.schemas.get(&definition.schema);
        let (table, loaded) = read::read(file, definition, schema).map_err(failed)?;
        let (name, file) = (definition.name.clone(), file.name.to_owned());
        report.tables.push(TableReport { name, file, refresh: definition.refresh(), ..loaded });
        set.join(definition, schema, &Arc::new(table), database, sources.schemas);
    }
    let users = sources.definitions.tables.get(USERS).filter(|users| users.enabled);
    if let Some(users) = users.filter(|_| !known.contains_key(USERS)) {
        // Nothing in it but what events teach.
        set.join(users, None, &Arc::new(Table::Exact(Exact::new(true))), false, sources.schemas);
    }
    set.by_log_type.values_mut().for_each(|joins| joins.sort_by(|a, b| a.opening().cmp(b.opening())));
    Ok((set, report))
}

impl Set {
    fn join(
        &mut self,
        definition: &Definition,
        schema: Option<&Schema>,
        table: &Arc<Table>,
        database: bool,
        schemas: &Schemas,
    ) {
        for association in &definition.log_types {
            let selectors = if association.selectors.is_empty() {
                let indicators = schemas.get(&association.log_type).map(indicators).unwrap_or_default();
                implied(definition, schema, database, &indicators)
            } else {
                association.selectors.clone()
            };
            let learns = definition.name == USERS && selectors.iter().all(Selector::is_bare);
            // Without rows, only what events teach can match.
            if table.rows() > 0 || learns {
                let join = Join::new(&definition.name, Arc::clone(table), selectors, learns);
                self.by_log_type.entry(association.log_type.clone()).or_default().push(join);
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
    schema: Option<&Schema>,
    database: bool,
    fields: &[(Vec<Step>, Indicator)],
) -> Vec<Selector> {
    let key = definition.keys.first().and_then(|key| schema?.root.field(key));
    let (carried, ranges): (&[Indicator], _) = match key.and_then(|key| found_by(&key.kind)) {
        Some(Kind::String { indicators, validate, .. }) => {
            (indicators, validate.iter().any(|condition| matches!(condition, Validate::Cidr(_))))
        }
        _ => (&[], false),
    };
    let mut wanted: Vec<Column> = carried.iter().flat_map(|one| one.columns()).copied().collect();
    if wanted.is_empty() && (database || ranges) {
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
fn indicators(schema: &Schema) -> Vec<(Vec<Step>, Indicator)> {
    fn walk(kind: &Kind, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Indicator)>) {
        match kind {
            Kind::String { indicators, .. } => {
                found.extend(indicators.iter().map(|indicator| (path.clone(), *indicator)));
            }
            Kind::Object(object) => fields(object, path, found),
            Kind::Array(element) => {
                path.push(Step::Each);
                walk(element, path, found);
                path.pop();
            }
            _ => {}
        }
    }
    fn fields(object: &Object, path: &mut Vec<Step>, found: &mut Vec<(Vec<Step>, Indicator)>) {
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
