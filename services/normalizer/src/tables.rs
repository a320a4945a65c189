//! The lookup tables in use, replaced as a whole when their files change.
//!
//! Files are looked at on a schedule and not through the file system's notifications, which network mounts do not send. A new set
//! that cannot be loaded never replaces one that works.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use latchkey_core::lookup::{self, Lookups, Report};
use latchkey_runtime::Shutdown;

use crate::{
    directory::{self, Fingerprint, Unreadable},
    metrics::Metrics,
};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

const EXTENSIONS: [&str; 3] = ["csv", "jsonl", "ndjson"];

/// Lookup tables that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTables {
    /// The directory or a file of it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A file is no table.
    #[error(transparent)]
    Invalid(#[from] lookup::Error),
}

/// The tables, from a directory or none.
pub(crate) struct Tables {
    directory: Option<PathBuf>,
    current: ArcSwap<Lookups>,
    /// The files as they were when they were last loaded or refused.
    seen: Mutex<Fingerprint>,
    metrics: Metrics,
}

impl Tables {
    pub(crate) fn open(directory: Option<PathBuf>, metrics: Metrics) -> Result<Self, InvalidTables> {
        let mut seen = Fingerprint::new();
        let mut lookups = Lookups::default();
        if let Some(directory) = &directory {
            seen = directory::look(directory, &EXTENSIONS)?;
            lookups = load(directory, &metrics)?;
        }
        Ok(Self { directory, current: ArcSwap::from_pointee(lookups), seen: Mutex::new(seen), metrics })
    }

    pub(crate) fn current(&self) -> Arc<Lookups> {
        self.current.load_full()
    }

    /// Looks after the files until the soft shutdown.
    pub(crate) async fn watch(self: Arc<Self>, shutdown: Shutdown) {
        if self.directory.is_none() {
            return;
        }
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            let this = Arc::clone(&self);
            if let Err(error) = tokio::task::spawn_blocking(move || this.refresh()).await {
                tracing::error!(%error, "the lookup tables could not be looked at");
            }
        }
    }

    /// Loads the tables again if their files have changed.
    pub(crate) fn refresh(&self) {
        let Some(directory) = &self.directory else { return };
        let loaded = directory::look(directory, &EXTENSIONS).map_err(InvalidTables::from).and_then(|found| {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == found {
                return Ok(None);
            }
            *seen = found;
            load(directory, &self.metrics).map(Some)
        });
        match loaded {
            Ok(None) => {}
            Ok(Some(lookups)) => self.current.store(Arc::new(lookups)),
            Err(error) => {
                self.metrics.tables_refused();
                tracing::warn!(%error, version = self.current().version(), "new lookup tables refused; the old ones stay in use");
            }
        }
    }
}

fn load(directory: &Path, metrics: &Metrics) -> Result<Lookups, InvalidTables> {
    let files = directory::read(directory, &EXTENSIONS, lookup::MAX_FILE_BYTES)?;
    let views: Vec<_> = files.iter().map(|file| lookup::File { name: &file.name, bytes: &file.bytes }).collect();
    let (lookups, report) = Lookups::load(&views)?;
    metrics.tables_loaded(&report);
    log(&lookups, &report);
    Ok(lookups)
}

fn log(lookups: &Lookups, report: &Report) {
    for table in &report.tables {
        tracing::info!(
            table = table.name,
            rows = table.rows,
            repeated = table.repeated,
            bad = table.bad,
            version = lookups.version(),
            "lookup table loaded"
        );
        for row in &table.first_bad {
            tracing::warn!(table = table.name, line = row.line, reason = %row.fault, "a row was left out");
        }
    }
    for file in &report.ignored {
        tracing::warn!(file, "a file belongs to no lookup table and is ignored");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn changed_files_replace_the_tables_and_broken_ones_do_not() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("items.jsonl");
        fs::write(&file, "{\"uuid\":\"a\"}").unwrap();
        let tables =
            Tables::open(Some(directory.path().into()), Metrics::new(&latchkey_runtime::Metrics::new())).unwrap();
        let first = tables.current().version().to_owned();

        tables.refresh();
        assert_eq!(tables.current().version(), first);

        fs::write(&file, "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}").unwrap();
        tables.refresh();
        let second = tables.current().version().to_owned();
        assert_ne!(second, first);

        fs::write(&file, "nonsense").unwrap();
        tables.refresh();
        assert_eq!(tables.current().version(), second);

        fs::remove_file(&file).unwrap();
        tables.refresh();
        assert_eq!(tables.current().version(), "");
    }

    #[test]
    fn a_directory_that_is_not_there_is_refused_at_start() {
        let metrics = Metrics::new(&latchkey_runtime::Metrics::new());
        let error = Tables::open(Some("/nonexistent/lookups".into()), metrics).err().unwrap();
        assert!(error.to_string().starts_with("/nonexistent/lookups: "));
    }
}
