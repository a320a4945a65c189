//! Schemas by name: those below given directories, and behind them the shipped ones.
//!
//! A directory may hold schemas of a whole company, tests and rules beside them. So a file is found by the name it declares and
//! compiled only when its log type is asked for: a fault in one does not stand in the way of another.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use latchkey_core::schema::{self, Schema, Schemas};
use latchkey_normalizer::SHIPPED;

use super::{Error, files};

/// How many names a message lists.
const MAX_LISTED: usize = 12;

/// The schemas that can be asked for.
pub(super) struct Library {
    files: BTreeMap<String, Vec<File>>,
    loaded: BTreeMap<String, Result<Schemas, String>>,
}

struct File {
    name: String,
    text: String,
    shipped: bool,
}

impl fmt::Display for File {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}", self.name, if self.shipped { " (shipped)" } else { "" })
    }
}

impl Library {
    /// Looks through `directories`; nothing is compiled yet.
    pub(super) fn open(directories: &[PathBuf]) -> Result<Self, Error> {
        let mut files = BTreeMap::<String, Vec<File>>::new();
        for directory in directories {
            for path in files::yaml_files(directory)? {
                let text = files::read_start(&path, schema::MAX_FILE_BYTES)?;
                if let Some(log_type) = declared_name(&text) {
                    let file = File { name: path.display().to_string(), text, shipped: false };
                    files.entry(log_type).or_default().push(file);
                }
            }
        }
        for (name, text) in SHIPPED {
            if let Some(log_type) = declared_name(text) {
                let shipped = || vec![File { name: name.into(), text: text.into(), shipped: true }];
                files.entry(log_type).or_insert_with(shipped);
            }
        }
        Ok(Self { files, loaded: BTreeMap::new() })
    }

    /// The schema of a log type, or why there is none, with the next step.
    pub(super) fn get(&mut self, log_type: &str) -> Result<&Schema, String> {
        let files = &self.files;
        let loaded = self.loaded.entry(log_type.into()).or_insert_with(|| load(files, log_type));
        match loaded {
            Ok(schemas) => schemas.get(log_type).ok_or_else(|| unknown(&self.files, log_type)),
            Err(reason) => Err(reason.clone()),
        }
    }

    /// The schemas of these log types, as far as they can be used.
    pub(super) fn schemas<'t>(&mut self, log_types: impl IntoIterator<Item = &'t str>) -> Schemas {
        let mut all = Schemas::default();
        for log_type in log_types {
            if self.get(log_type).is_ok()
                && let Some(Ok(schemas)) = self.loaded.get(log_type)
            {
                all = all.overridden_by(schemas.clone());
            }
        }
        all
    }

    /// Name and text of the file that declares a log type; `None` unless it is one.
    pub(super) fn file(&self, log_type: &str) -> Option<(&str, &str)> {
        match self.files.get(log_type)?.as_slice() {
            [file] => Some((&file.name, &file.text)),
            _ => None,
        }
    }
}

/// Whether a file means to be a schema: its top level has `schema` or `fields`. Tests, rules and lookup tables have neither.
pub(super) fn is_schema(text: &str) -> bool {
    top_level(text, "schema").is_some() || top_level(text, "fields").is_some()
}

/// Whether a path names a test file, as Panther's tools know them.
pub(super) fn is_test_file(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_tests"))
}

fn load(files: &BTreeMap<String, Vec<File>>, log_type: &str) -> Result<Schemas, String> {
    match files.get(log_type).map(Vec::as_slice) {
        None | Some([]) => Err(unknown(files, log_type)),
        Some([file]) => Schemas::load([(file.to_string().as_str(), file.text.as_str())])
            .map_err(|error| format!("the schema of {log_type} has faults: {error}; see `latchkey schema check`")),
        Some([one, other, ..]) => {
            Err(format!("{log_type} is defined by {one} and by {other}: give directories with one of them"))
        }
    }
}

fn unknown(files: &BTreeMap<String, Vec<File>>, log_type: &str) -> String {
    let mut known: Vec<&str> = files.keys().take(MAX_LISTED).map(String::as_str).collect();
    if files.len() > MAX_LISTED {
        known.push("…");
    }
    format!(
        "no schema declares `schema: {log_type}`: name the directory that holds it with --schemas DIR (known: {})",
        known.join(", ")
    )
}

/// The log type that a schema file declares.
fn declared_name(text: &str) -> Option<String> {
    let value = top_level(text, "schema")?;
    let value = value.split(" #").next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

/// What follows a key of the top level on its line. Keys inside stand further right, so the line tells them apart.
fn top_level<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''));
        let unquoted = |line: &'t str| match quote {
            Some(quote) => line.strip_prefix(quote)?.strip_prefix(key)?.strip_prefix(quote),
            None => line.strip_prefix(key),
        };
        unquoted(line)?.trim_start().strip_prefix(':')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_known_by_its_top_level() {
        for (text, name, is) in [
            ("# x\nschema: Acme.Door\nfields: []\n", Some("Acme.Door"), true),
            ("schema : 'Acme.Door' # ours\n", Some("Acme.Door"), true),
            ("\"schema\": Acme.Door\n", Some("Acme.Door"), true),
            ("'schema': Acme.Door\n", Some("Acme.Door"), true),
            ("\"schema: Acme.Door\n", None, false),
            ("version: 0\nfields:\n  - name: schema\n", None, true),
            ("name: x\nlogType: Acme.Door\ninput:\n  schema: Acme.Door\n", None, false),
            ("AnalysisType: lookup_table\nSchema: Acme.Door\n", None, false),
            ("schemas: x\n", None, false),
        ] {
            assert_eq!((declared_name(text).as_deref(), is_schema(text)), (name, is), "{text}");
        }
    }
}
