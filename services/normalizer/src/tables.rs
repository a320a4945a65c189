//! The lookup tables in use, replaced as a whole when their files change.
//!
//! Files lie in the bucket LOOKUPS, for every normalizer, and in a directory of this one, which takes the place of the bucket's where
//! names are equal. Both are looked at on a schedule and not through notifications, which network mounts do not send. A new set that
//! cannot be loaded never replaces one that works.

mod learning;
mod sources;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use latchkey_bus::Bus;
use latchkey_core::{
    lookup::{self, Definitions, InvalidDefinitions, Lookups, Report, Staleness, TableReport, staleness},
    schema::Schemas,
};
use latchkey_runtime::{Shutdown, clock};

pub(crate) use self::learning::Learning;
use self::sources::{Files, Look};
use crate::{directory::Unreadable, metrics::Metrics};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Lookup tables that cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTables {
    /// The directory or a file of it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A definition has faults.
    #[error(transparent)]
    Definitions(#[from] InvalidDefinitions),
    /// A file is no table.
    #[error(transparent)]
    Invalid(#[from] lookup::Error),
    /// The bucket cannot be read.
    #[error(transparent)]
    Bus(#[from] latchkey_bus::Error),
    /// A file of the bucket is too long.
    #[error("{0} in the bucket is longer than {max} bytes", max = lookup::MAX_FILE_BYTES)]
    TooLong(String),
}

/// The tables, from the bucket and from a directory or none.
pub(crate) struct Tables {
    directory: Option<PathBuf>,
    schemas: Schemas,
    email_usernames: bool,
    current: ArcSwap<Lookups>,
    state: Mutex<State>,
    /// What events teach, unless that is switched off.
    learning: Option<Learning>,
    metrics: Metrics,
}

#[derive(Default)]
struct State {
    /// The files as they were when they were last loaded or refused.
    seen: Look,
    /// The tables in use.
    tables: Vec<TableReport>,
    /// The files that the tables in use came from.
    loaded: Look,
    /// Tables whose age was a cause for alarm when it was last judged.
    stale: Vec<String>,
}

impl State {
    /// Whether these are the files that were looked at last. A file of the bucket that was put there again as it was is only younger.
    fn is_known(&mut self, look: &Look) -> bool {
        let known = self.seen.has_same_content(look);
        if known {
            if self.loaded == self.seen {
                self.loaded = look.clone();
            }
            self.seen = look.clone();
        }
        known
    }
}

impl Tables {
    /// Loads the directory's tables; the bucket's come with the first look.
    pub(crate) fn open(
        directory: Option<PathBuf>,
        schemas: Schemas,
        email_usernames: bool,
        learning: Option<Learning>,
        metrics: Metrics,
    ) -> Result<Self, InvalidTables> {
        let tables = Self {
            directory,
            schemas,
            email_usernames,
            current: ArcSwap::default(),
            state: Mutex::default(),
            learning,
            metrics,
        };
        let look = Look::of_directory(tables.directory.as_deref())?;
        let files = Files::of_directory(tables.directory.as_deref())?;
        tables.replace(&look, &files)?;
        Ok(tables)
    }

    /// The tables, with what events taught.
    pub(crate) fn current(&self) -> Lookups {
        let current = self.current.load();
        match &self.learning {
            Some(learning) => current.with_learned(learning.learned()),
            None => Lookups::clone(&current),
        }
    }

    /// Learns from finished records.
    pub(crate) fn learn<'r>(&self, records: impl Iterator<Item = &'r [u8]>) {
        if let Some(learning) = &self.learning {
            learning.learn(records);
        }
    }

    /// Looks after the files until the soft shutdown.
    pub(crate) async fn watch(self: Arc<Self>, bus: Bus, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            Arc::clone(&self).refresh(&bus).await;
        }
    }

    /// Loads the tables again if their files have changed, and judges their age.
    pub(crate) async fn refresh(self: Arc<Self>, bus: &Bus) {
        match Arc::clone(&self).look(bus).await {
            Ok(()) => {}
            Err(InvalidTables::Bus(error)) if error.is_transient() => {
                tracing::warn!(%error, "the lookup tables could not be looked at; those in use stay");
            }
            Err(error) => {
                self.metrics.tables_refused();
                tracing::warn!(%error, version = self.current().version(), "new lookup tables refused; the old ones stay in use");
            }
        }
        self.judge();
    }

    async fn look(self: Arc<Self>, bus: &Bus) -> Result<(), InvalidTables> {
        let look = Look::of_both(self.directory.as_deref(), bus).await?;
        if self.state().is_known(&look) {
            return Ok(());
        }
        let from_bucket = Files::of_bucket(&look, bus).await?;
        let work = move || {
            let mut files = Files::of_directory(self.directory.as_deref())?;
            files.add(from_bucket);
            self.replace(&look, &files)
        };
        tokio::task::spawn_blocking(work).await.expect("loading is total, and its task is never cancelled")
    }

    /// Puts the tables of these files in use. Should they be unusable, they are not tried again until one changes.
    fn replace(&self, look: &Look, files: &Files) -> Result<(), InvalidTables> {
        self.state().seen = look.clone();
        let definitions = Definitions::load(&files.definitions())?;
        let sources = lookup::Sources {
            definitions: &definitions,
            schemas: &self.schemas,
            email_usernames: self.email_usernames,
        };
        let (lookups, report) = Lookups::load_from(sources, &files.data())?;
        self.metrics.tables_loaded(&report);
        log(&lookups, &report);
        self.current.store(Arc::new(lookups));
        let mut state = self.state();
        (state.tables, state.loaded) = (report.tables, look.clone());
        drop(state);
        self.judge();
        Ok(())
    }

    /// Says how old the data of each table are, and whether that is too old.
    fn judge(&self) {
        let now = clock::now();
        let mut state = self.state();
        let mut stale = Vec::new();
        for table in &state.tables {
            let Some(modified) = state.loaded.modified(&table.file) else { continue };
            let age = Duration::try_from(now.duration_since(modified)).unwrap_or_default();
            self.metrics.table_age(&table.name, age);
            if let Staleness::Stale { by } = staleness(age, table.refresh) {
                if !state.stale.contains(&table.name) {
                    tracing::warn!(table = table.name, ?age, too_old_by = ?by, "the data of a lookup table are stale");
                }
                stale.push(table.name.clone());
            }
        }
        self.metrics.tables_stale(stale.len());
        state.stale = stale;
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        tracing::warn!(file, "a file belongs to no lookup table in use and is ignored");
    }
}

#[cfg(test)]
mod tests;
