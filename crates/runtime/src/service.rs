//! What a service is called.
//!
//! The name is the service's section of the configuration file, its label in metrics and, behind the project's name, its
//! name in traces and on the command line: one word, one place.

/// A service's identity, known at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// One lower-case word: `fetcher`.
    pub name: &'static str,
    /// The crate's version: `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// One sentence for `--help`.
    pub about: &'static str,
}

impl Service {
    /// The name outside the project: `latchkey-fetcher` on the command line and as `service.name` in traces.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("latchkey-{}", self.name)
    }
}
