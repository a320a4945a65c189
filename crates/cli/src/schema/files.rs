//! Finds and reads files, within bounds.

use std::{
    fs::{self, File},
    io::Read as _,
    path::{Path, PathBuf},
};

use super::Error;

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

/// The text of a file of at most `max_bytes`.
pub(super) fn read_text(path: &Path, max_bytes: usize) -> Result<String, Error> {
    let bytes = read(path, max_bytes)?;
    String::from_utf8(bytes).map_err(|error| {
        Error::Refused(format!("{}: not UTF-8 after byte {}", path.display(), error.utf8_error().valid_up_to()))
    })
}

/// The content of a file of at most `max_bytes`.
pub(super) fn read(path: &Path, max_bytes: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    file.take(max_bytes as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    if bytes.len() > max_bytes {
        return Err(Error::Refused(format!("{}: longer than {max_bytes} bytes", path.display())));
    }
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
