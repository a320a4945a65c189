//! What is wrong with definitions of lookup tables, in words that lead to the line.

use std::fmt;

/// Why definitions are refused: every fault of every file. Permanent until a file changes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct InvalidDefinitions {
    /// At least one, in the files' order, each with its file's name.
    pub faults: Vec<(String, Fault)>,
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where in the file: `LogTypeMap.AssociatedLogTypes[0].Selectors[1]`. Empty: the file as a whole.
    pub path: String,
    /// What is wrong there.
    pub reason: String,
}

impl fmt::Display for InvalidDefinitions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (file, fault)) in self.faults.iter().enumerate() {
            let separator = if index > 0 { "; " } else { "" };
            write!(formatter, "{separator}{file}: {fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.path.is_empty() { "" } else { ": " };
        write!(formatter, "{}{separator}{}", self.path, self.reason)
    }
}
