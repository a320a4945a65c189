//! What an operator can set, and what is refused.

use std::{num::NonZeroUsize, path::PathBuf, thread};

use latchkey_bus::Bus;
use latchkey_core::{
    normalize::{Options, Unknown},
    schema::{self, Schemas},
};
use serde::{Deserialize, Serialize};

use crate::{
    directory::{self, Unreadable},
    metrics::Metrics,
    service::Normalizer,
    tables::{InvalidTables, Learning, Tables},
};

/// The schemas that come with the program: file name and text.
pub const SHIPPED: [(&str, &str); 3] = [
    ("onepassword_sign_in_attempt.yml", include_str!("../../../schemas/onepassword_sign_in_attempt.yml")),
    ("onepassword_item_usage.yml", include_str!("../../../schemas/onepassword_item_usage.yml")),
    ("onepassword_audit_event.yml", include_str!("../../../schemas/onepassword_audit_event.yml")),
];

/// The normalizer's own section of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Pages in work at once. Each takes about ten times the size of its body in memory.
    pub concurrency: NonZeroUsize,
    /// A directory of schema files that take the place of shipped ones.
    pub schemas: Option<PathBuf>,
    /// A directory of lookup tables and definitions that take the place of the bucket's.
    pub lookups: Option<PathBuf>,
    /// Whether users that events name stand in where the table `users` has no row.
    pub learn_users: bool,
    /// What becomes of fields that a schema does not declare.
    pub unknown_fields: Unknown,
    /// Whether the local part of an e-mail address counts as a user's name.
    pub email_usernames: bool,
}

/// A configuration that cannot be used. Permanent.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// The schema directory cannot be read.
    #[error("normalizer.schemas: {0}")]
    SchemaDirectory(#[from] Unreadable),
    /// A schema file has faults.
    #[error("normalizer.schemas: {0}")]
    Schemas(#[from] schema::Error),
    /// The lookup tables cannot be loaded.
    #[error("normalizer.lookups: {0}")]
    Lookups(#[from] InvalidTables),
}

impl Default for Config {
    /// Twice the processors: while one page waits for the server, another is worked on.
    fn default() -> Self {
        let processors = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let Options { unknown, email_usernames } = Options::default();
        Self {
            concurrency: processors.saturating_mul(NonZeroUsize::MIN.saturating_add(1)),
            schemas: None,
            lookups: None,
            learn_users: true,
            unknown_fields: unknown,
            email_usernames,
        }
    }
}

impl Config {
    /// Loads schemas and lookup tables and makes a normalizer. Nothing is taken from the bus yet.
    pub fn build(self, bus: Bus, metrics: Metrics) -> Result<Normalizer, InvalidConfig> {
        let mut schemas = Schemas::load(SHIPPED)?;
        if let Some(path) = &self.schemas {
            let files = directory::read(path, &["yml", "yaml"], schema::MAX_FILE_BYTES)?;
            let texts: Vec<_> =
                files.iter().map(|file| (file.name.as_str(), String::from_utf8_lossy(&file.bytes))).collect();
            schemas = schemas.overridden_by(Schemas::load(texts.iter().map(|(name, text)| (*name, text.as_ref())))?);
        }
        let learning = self.learn_users.then(Learning::default);
        let tables = Tables::open(self.lookups, schemas.clone(), self.email_usernames, learning, metrics.clone())?;
        let options = Options { unknown: self.unknown_fields, email_usernames: self.email_usernames };
        Ok(Normalizer::new(schemas, tables, options, self.concurrency, bus, metrics))
    }
}
