//! Files of tables on disk.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use latchkey_core::lookup::{
    Definitions, EXTENSIONS, File, Lookups, MAX_DEFINITION_BYTES, MAX_FILE_BYTES, Report, Sources,
};
use latchkey_core::schema::Schemas;

const DEFINITIONS: [&str; 2] = ["yml", "yaml"];

/// The most files of a directory, as of a normalizer's.
const MAX_FILES: usize = 1_000;

/// The files of a directory that belong to tables, by name.
pub(crate) struct Files(pub(super) Vec<(String, Vec<u8>)>);

impl Files {
    pub(crate) fn read(directory: &Path) -> anyhow::Result<Self> {
        let shown = || format!("{}: cannot be read", directory.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(directory).with_context(shown)? {
            let path = entry.with_context(shown)?.path();
            let (Some(name), Some(extension)) = (
                path.file_name().and_then(|name| name.to_str()),
                path.extension().and_then(|extension| extension.to_str()),
            ) else {
                continue;
            };
            let definition = DEFINITIONS.contains(&extension);
            if (definition || EXTENSIONS.contains(&extension)) && path.is_file() {
                let limit = if definition { MAX_DEFINITION_BYTES } else { MAX_FILE_BYTES };
                files.push((name.to_owned(), read(&path, limit)?));
            }
            anyhow::ensure!(files.len() <= MAX_FILES, "{}: more than {MAX_FILES} files", directory.display());
        }
        files.sort_unstable();
        Ok(Self(files))
    }

    /// The files of several directories. A name that two of them have is refused: one of the files would be passed over.
    pub(crate) fn read_all(directories: &[PathBuf]) -> anyhow::Result<Self> {
        let mut all = Self(Vec::new());
        for directory in directories {
            for (name, bytes) in Self::read(directory)?.0 {
                let taken = all.0.iter().any(|(other, _)| *other == name);
                anyhow::ensure!(!taken, "{}: another directory has a file {name} too", directory.display());
                all.0.push((name, bytes));
            }
        }
        Ok(all)
    }

    /// Loads them as a normalizer would that has these schemas of log types.
    pub(crate) fn load(&self, schemas: &Schemas) -> anyhow::Result<(Lookups, Report)> {
        let is_definition =
            |name: &str| name.rsplit_once('.').is_some_and(|(_, extension)| DEFINITIONS.contains(&extension));
        let mut definitions = Vec::new();
        for (name, bytes) in self.0.iter().filter(|(name, _)| is_definition(name)) {
            let text = str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
            definitions.push((name.as_str(), text));
        }
        let definitions = Definitions::load(&definitions)?;
        let data: Vec<_> =
            self.0.iter().filter(|(name, _)| !is_definition(name)).map(|(name, bytes)| File { name, bytes }).collect();
        let sources = Sources { definitions: &definitions, schemas };
        Ok(Lookups::load_from(sources, &data)?)
    }
}

/// Reads a file, or nothing where there is none.
pub(super) fn read_or_nothing(path: &Path) -> anyhow::Result<Vec<u8>> {
    match fs::exists(path) {
        Ok(false) => Ok(Vec::new()),
        _ => read(path, MAX_FILE_BYTES),
    }
}

fn read(path: &Path, limit: usize) -> anyhow::Result<Vec<u8>> {
    let file = fs::File::open(path).with_context(|| path.display().to_string())?;
    bounded(file, limit).with_context(|| path.display().to_string())
}

/// Reads to the end, which must come within `limit` bytes.
pub(super) fn bounded(source: impl io::Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit { Err(io::Error::other(format!("longer than {limit} bytes"))) } else { Ok(bytes) }
}

/// Puts a file in the place of another, whole or not at all. Only the owner may read it: it holds names.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let shown = || format!("{} cannot be written", path.display());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(directory).with_context(shown)?;
    let mut file = tempfile::NamedTempFile::new_in(directory).with_context(shown)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).with_context(shown)?;
    file.persist(path).with_context(shown)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lookups/items.jsonl");
        assert_eq!(read_or_nothing(&path).unwrap(), b"");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(read_or_nothing(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let directories = ["a", "b"].map(|name| directory.path().join(name));
        for (path, name) in directories.iter().zip(["users.csv", "items.csv"]) {
            replace(&path.join(name), b"uuid\n").unwrap();
        }
        assert_eq!(Files::read_all(&directories).unwrap().0.len(), 2);
        replace(&directories[1].join("users.csv"), b"uuid\n").unwrap();
        assert!(Files::read_all(&directories).is_err_and(|error| error.to_string().contains("a file users.csv too")));
    }

    #[test]
    fn reading_has_a_bound() {
        assert_eq!(bounded(&b"abc"[..], 3).unwrap(), b"abc");
        assert!(bounded(&b"abcd"[..], 3).is_err());
    }
}
