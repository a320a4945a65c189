//! What is wrong with schema files, in words that lead to the line.

use std::fmt;

/// Why schema files are refused: every fault of every file. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// At least one, in the files' order, each with its file's name.
    pub faults: Vec<(String, Fault)>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the file: `fields[client].fields[ip_address].type`. Empty: the file as a whole.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

impl Fault {
    pub(super) fn in_file(self, file: &str) -> (String, Self) {
        (file.into(), self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (file, fault)) in self.faults.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{file}: {fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            formatter.write_str(&self.reason)
        } else {
            write!(formatter, "{}: {}", self.path, self.reason)
        }
    }
}
