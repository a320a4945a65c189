//! Finds and reads files, within bounds.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::{Error, lines::BYTE_ORDER_MARK};

/// The most files below one directory. The largest public collections of schemas have some hundred.
const MAX_FILES: usize = 10_000;

/// The deepest directory that is looked into.
const MAX_DEPTH: usize = 32;

/// `path` if it is a file, or the YAML files below it in the order of their paths. What begins with a dot is not looked at, and links
/// to directories are not followed.
pub(super) fn yaml_files(path: &Path) -> Result<Vec<PathBuf>, Error> {
    let metadata = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    collect(path, 0, &mut files)?;
    files.sort_unstable();
    Ok(files)
}

/// The beginning of a file as text: whole if it is no longer than `max_bytes`, one byte more if it is. A byte order mark is no part of it.
/// What is not UTF-8 is replaced: below a directory there are files of all kinds, and those that count are judged by who reads them.
pub(super) fn read_start(path: &Path, max_bytes: usize) -> Result<String, Error> {
    let mut bytes = read_at_most(path, (max_bytes + 1 + BYTE_ORDER_MARK.len()) as u64)?;
    if bytes.starts_with(BYTE_ORDER_MARK) {
        bytes.drain(..BYTE_ORDER_MARK.len());
    }
    bytes.truncate(max_bytes + 1);
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn read_at_most(path: &Path, count: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(count).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Refused(format!("{}: cannot be read: {error}", path.display()))
}

fn collect(directory: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    let refused = |error| unreadable(directory, &error);
    for entry in fs::read_dir(directory).map_err(refused)? {
        let entry = entry.map_err(refused)?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if entry.file_type().map_err(refused)?.is_dir() {
            if depth == MAX_DEPTH {
                return Err(Error::Refused(format!("{}: deeper than {MAX_DEPTH} directories", path.display())));
            }
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml") && path.is_file()
        {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Error::Refused(format!("{}: more than {MAX_FILES} YAML files", directory.display())));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_long_shows_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (text, expect) in [
            ("abc", "abc"),
            ("\u{feff}abc", "abc"),
            ("abcd", "abcd"),
            ("\u{feff}abcd", "abcd"),
            ("\u{feff}abcde", "abcd"),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_start(&path, 3).unwrap(), expect, "{text}");
        }
    }
}
