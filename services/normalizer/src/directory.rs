//! Reads small directories of files whole, within bounds.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// The most files of one directory.
const MAX_FILES: usize = 1_000;

/// A file in memory.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// What a directory looks like from outside: name, length and time of change of each file, in order.
pub(crate) type Fingerprint = Vec<(String, u64, Option<SystemTime>)>;

/// A directory or a file of it that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct Unreadable {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub reason: io::Error,
}

/// The files with one of `extensions`, in the order of their names.
pub(crate) fn read(directory: &Path, extensions: &[&str], max_bytes: usize) -> Result<Vec<File>, Unreadable> {
    let mut files = Vec::new();
    for (name, length, _) in look(directory, extensions)? {
        let path = directory.join(&name);
        if length > max_bytes as u64 {
            let reason = io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max_bytes} bytes"));
            return Err(Unreadable { path, reason });
        }
        let bytes = fs::read(&path).map_err(|reason| Unreadable { path, reason })?;
        files.push(File { name, bytes });
    }
    Ok(files)
}

/// What [`read`] would read.
pub(crate) fn look(directory: &Path, extensions: &[&str]) -> Result<Fingerprint, Unreadable> {
    let unreadable = |reason| Unreadable { path: directory.into(), reason };
    let mut found = Fingerprint::new();
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(name), Some(extension)) = (name, path.extension().and_then(|extension| extension.to_str())) else {
            continue;
        };
        if !extensions.contains(&extension) {
            continue;
        }
        // Follows links: Kubernetes mounts files as links that it flips.
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        if metadata.is_file() {
            found.push((name.into(), metadata.len(), metadata.modified().ok()));
        }
        if found.len() > MAX_FILES {
            return Err(unreadable(io::Error::other(format!("more than {MAX_FILES} files"))));
        }
    }
    found.sort_unstable();
    Ok(found)
}
