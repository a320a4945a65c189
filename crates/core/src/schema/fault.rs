//! What is wrong with schema files, in words that lead to the line.

use std::fmt;

/// Why schema files are refused: every fault of every file. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// At least one, in the files' order, each with its file's name. At most [`super::MAX_FAULTS`] of a file.
    pub faults: Vec<(String, Fault)>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1: of what is wrong, or of what lacks something. 0: the file as a whole.
    pub line: usize,
    /// Where in the file: `fields[client].fields[ip_address].type`. Empty: told by the line alone.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

impl Fault {
    pub(crate) fn new(line: usize, path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { line, path: path.into(), reason: reason.into() }
    }

    pub(super) fn in_file(self, file: &str) -> (String, Self) {
        (file.into(), self)
    }
}

/// `file:line: path: reason`, joined by `; `.
impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_all(formatter, &self.faults)
    }
}

/// `file:line: path: reason`, joined by `; `.
pub(crate) fn write_all(formatter: &mut fmt::Formatter<'_>, faults: &[(String, Fault)]) -> fmt::Result {
    for (index, (file, fault)) in faults.iter().enumerate() {
        if index > 0 {
            formatter.write_str("; ")?;
        }
        formatter.write_str(file)?;
        if fault.line > 0 {
            write!(formatter, ":{}", fault.line)?;
        }
        write!(formatter, ": {fault}")?;
    }
    Ok(())
}

/// `path: reason`.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            formatter.write_str(&self.reason)
        } else {
            write!(formatter, "{}: {}", self.path, self.reason)
        }
    }
}
