//! The schemas in use, replaced as a whole when their files change.
//!
//! The shipped schemas and those of a directory, which take the place of shipped ones of the same log type. The directory is looked
//! at on a schedule and not through notifications, which network mounts do not send. A new version that has faults never replaces
//! one that works; a page in work keeps the version it began with.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use latchkey_core::{
    alert::files::Standing,
    normalize::{Options, Unknown},
    schema::{self, NoSuchLogType, Schemas},
};
use latchkey_runtime::clock;

use crate::{
    config::SHIPPED,
    directory::{self, Fingerprint, Unreadable},
    metrics::Metrics,
    work::Rules,
};

const EXTENSIONS: [&str; 2] = ["yml", "yaml"];

/// Schemas that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSchemas {
    /// The directory or a file of it cannot be read.
    #[error("normalizer.schemas: {0}")]
    Unreadable(#[from] Unreadable),
    /// Files have faults.
    #[error("normalizer.schemas: {0}")]
    Faults(#[from] schema::Error),
    /// A policy is set for a log type without a schema.
    #[error("normalizer.unknown_fields_by_log_type: {0}")]
    NoSuchLogType(#[from] NoSuchLogType),
}

/// The schemas of a normalizer and where they come from.
pub(crate) struct Rulebook {
    sources: Sources,
    current: ArcSwap<Rules>,
    state: Mutex<State>,
    metrics: Metrics,
}

/// What schemas are made of.
pub(crate) struct Sources {
    /// Files beside the shipped ones.
    pub(crate) directory: Option<PathBuf>,
    /// What becomes of undeclared fields in single log types.
    pub(crate) unknown: BTreeMap<String, Unknown>,
    pub(crate) options: Options,
}

struct State {
    /// The files as they were when they were last loaded or refused; `None` if they could not be looked at.
    seen: Option<Fingerprint>,
    standing: Standing,
}

impl Rulebook {
    /// Loads the schemas; the first version has nothing to fall back to.
    pub(crate) fn open(sources: Sources, metrics: Metrics) -> Result<Self, InvalidSchemas> {
        let seen = Some(sources.look()?);
        let current = ArcSwap::from_pointee(sources.load()?);
        let state = Mutex::new(State { seen, standing: Standing::InUse { since: clock::now() } });
        Ok(Self { sources, current, state, metrics })
    }

    /// The version in use. Whoever does one thing with it asks once.
    pub(crate) fn current(&self) -> Arc<Rules> {
        self.current.load_full()
    }

    /// How the newest version stands.
    pub(crate) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    /// Loads the schemas again if their files have changed.
    pub(crate) fn refresh(&self) {
        let Err(error) = self.look() else { return };
        self.metrics.schemas_refused();
        tracing::warn!(%error, "new schemas refused; the old ones stay in use");
        self.state().standing.refuse(error.to_string(), clock::now());
    }

    fn look(&self) -> Result<(), InvalidSchemas> {
        let look = self.sources.look().inspect_err(|_| self.state().seen = None)?;
        if self.state().seen.as_ref() == Some(&look) {
            return Ok(());
        }
        // First, so that files that are refused are not tried again until one changes.
        self.state().seen = Some(look);
        let rules = self.sources.load()?;
        let log_types = rules.schemas.log_types().count();
        self.current.store(Arc::new(rules));
        self.state().standing = Standing::InUse { since: clock::now() };
        tracing::info!(log_types, "new schemas are in use");
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    fn look(&self) -> Result<Fingerprint, Unreadable> {
        self.directory.as_deref().map_or(Ok(Fingerprint::new()), |directory| directory::look(directory, &EXTENSIONS))
    }

    fn load(&self) -> Result<Rules, InvalidSchemas> {
        let mut schemas = Schemas::load(SHIPPED)?;
        if let Some(directory) = &self.directory {
            let files = directory::read(directory, &EXTENSIONS, schema::MAX_FILE_BYTES)?;
            let texts: Vec<_> =
                files.iter().map(|file| (file.name.as_str(), String::from_utf8_lossy(&file.bytes))).collect();
            schemas = schemas.overridden_by(Schemas::load(texts.iter().map(|(name, text)| (*name, text.as_ref())))?);
        }
        for (log_type, unknown) in &self.unknown {
            schemas.set_unknown(log_type, *unknown)?;
        }
        Ok(Rules { schemas, options: self.options })
    }
}

#[cfg(test)]
mod tests;
