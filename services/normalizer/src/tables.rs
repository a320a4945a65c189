//! The lookup tables in use, replaced as a whole when their files change.
//!
//! Files lie in the bucket LOOKUPS, for every normalizer, and in a directory of this one, which takes the place of the bucket's where
//! names are equal. Both are looked at on a schedule and not through notifications, which network mounts do not send. A new set that
//! cannot be loaded never replaces one that works.

mod learning;
mod sources;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use latchkey_bus::Bus;
use latchkey_contracts::rejection::Problem;
use latchkey_core::{
    alert::files::Standing,
    lookup::{self, Definitions, InvalidDefinitions, Lookups, Report, RowFault, Staleness, TableReport, staleness},
};
use latchkey_runtime::clock;

pub(crate) use self::learning::Learning;
use self::sources::{Files, Look};
use crate::{directory::Unreadable, metrics::Metrics, work::Rules};

/// How many faults of a table's rows are logged; `latchkey lookup check` names more.
const MAX_LOGGED_FAULTS: usize = 10;

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
    current: ArcSwap<Lookups>,
    state: Mutex<State>,
    /// What events teach, unless that is switched off.
    learning: Option<Learning>,
    metrics: Metrics,
}

struct State {
    /// The files as they were when they were last loaded or refused; `None` if they could not be looked at.
    seen: Option<Look>,
    /// The rules that they were loaded or refused with: joins follow the schemas' indicators.
    rules: Weak<Rules>,
    standing: Standing,
    /// The tables in use.
    tables: Vec<TableReport>,
    /// The files that the tables in use came from.
    loaded: Look,
    /// Tables whose age was a cause for alarm when it was last judged.
    stale: Vec<String>,
}

impl State {
    /// Whether these are the files and rules that were looked at last. A file of the bucket that was put there again as it was is only
    /// younger.
    fn is_known(&mut self, look: &Look, rules: &Arc<Rules>) -> bool {
        let Some(seen) = self.seen.as_ref().filter(|seen| seen.has_same_content(look)) else { return false };
        if self.rules.as_ptr() != Arc::as_ptr(rules) {
            return false;
        }
        if self.loaded == *seen {
            self.loaded = look.clone();
        }
        self.seen = Some(look.clone());
        true
    }

    fn refuse(&mut self, error: &InvalidTables) {
        if !matches!(error, InvalidTables::Definitions(_) | InvalidTables::Invalid(_)) {
            // Never read, so it may come back as it was.
            self.seen = None;
        }
        self.standing.refuse(error.to_string(), clock::now());
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            seen: None,
            rules: Weak::new(),
            standing: Standing::InUse { since: clock::now() },
            tables: Vec::new(),
            loaded: Look::default(),
            stale: Vec::new(),
        }
    }
}

impl Tables {
    /// Loads the directory's tables; the bucket's come with the first look.
    pub(crate) fn open(
        directory: Option<PathBuf>,
        rules: &Arc<Rules>,
        learning: Option<Learning>,
        metrics: Metrics,
    ) -> Result<Self, InvalidTables> {
        let tables = Self { directory, current: ArcSwap::default(), state: Mutex::default(), learning, metrics };
        let look = Look::of_directory(tables.directory.as_deref())?;
        let files = Files::of_directory(tables.directory.as_deref())?;
        tables.replace(&look, &files, rules)?;
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

    /// How the newest files stand.
    pub(crate) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    /// Loads the tables again if their files or the schemas have changed, and judges their age.
    pub(crate) async fn refresh(self: Arc<Self>, bus: &Bus, rules: &Arc<Rules>) {
        match Arc::clone(&self).look(bus, rules).await {
            Ok(()) => {}
            Err(InvalidTables::Bus(error)) if error.is_transient() => {
                tracing::warn!(%error, "the lookup tables could not be looked at; those in use stay");
            }
            Err(error) => {
                self.metrics.tables_refused();
                tracing::warn!(%error, version = self.current().version(), "new lookup tables refused; the old ones stay in use");
                self.state().refuse(&error);
            }
        }
        self.judge();
    }

    async fn look(self: Arc<Self>, bus: &Bus, rules: &Arc<Rules>) -> Result<(), InvalidTables> {
        let look = Look::of_both(self.directory.as_deref(), bus).await?;
        if self.state().is_known(&look, rules) {
            return Ok(());
        }
        let from_bucket = Files::of_bucket(&look, bus).await?;
        let rules = Arc::clone(rules);
        let work = move || {
            let mut files = Files::of_directory(self.directory.as_deref())?;
            files.add(from_bucket);
            self.replace(&look, &files, &rules)
        };
        tokio::task::spawn_blocking(work).await.expect("loading is total, and its task is never cancelled")
    }

    /// Puts the tables of these files in use. Should they be unusable, they are not tried again until something changes.
    fn replace(&self, look: &Look, files: &Files, rules: &Arc<Rules>) -> Result<(), InvalidTables> {
        let mut state = self.state();
        (state.seen, state.rules) = (Some(look.clone()), Arc::downgrade(rules));
        drop(state);
        let definitions = Definitions::load(&files.definitions())?;
        let sources = lookup::Sources { definitions: &definitions, schemas: &rules.schemas };
        let (lookups, report) = Lookups::load_from(sources, &files.data())?;
        self.metrics.tables_loaded(&report);
        log(&lookups, &report);
        self.current.store(Arc::new(lookups));
        let mut state = self.state();
        (state.tables, state.loaded) = (report.tables, look.clone());
        state.standing = Standing::InUse { since: clock::now() };
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
        for RowFault { line, problem } in table.faults.iter().take(MAX_LOGGED_FAULTS) {
            let Problem { path, rule, expected, found } = problem;
            tracing::warn!(
                table = table.name,
                file = table.file,
                line,
                path,
                rule,
                expected,
                found,
                "a row was left out"
            );
        }
    }
    for file in &report.ignored {
        tracing::warn!(file, "a file belongs to no lookup table in use and is ignored");
    }
}

#[cfg(test)]
mod tests;
