//! Looks after the files of a normalizer on a schedule, and raises an alert where a new version is refused.
//!
//! The alert's last transition is read before the files are looked at, and what follows is published onto just that one. So if
//! another normalizer sees a repair in between, this one's older finding meets a conflict and is judged anew at the next look.

use std::{sync::Arc, time::Duration};

use latchkey_bus::{Bus, Error, Publication};
use latchkey_contracts::alert::Alert;
use latchkey_core::alert::files::{self, Files, Standing};
use latchkey_runtime::{Shutdown, clock};

use crate::{metrics::Metrics, rulebook::Rulebook, tables::Tables};

/// Schemas and lookup tables with the bus they are reported on.
pub(crate) struct Watch {
    pub(crate) rulebook: Arc<Rulebook>,
    pub(crate) tables: Arc<Tables>,
    pub(crate) bus: Bus,
    pub(crate) every: Duration,
    pub(crate) metrics: Metrics,
}

/// The last transition of an alert, as it was before the look.
struct Before {
    /// Sequence in ALERTS; 0 if there is none.
    sequence: u64,
    /// `None` if there is none or it cannot be read.
    last: Option<Alert>,
}

impl Watch {
    /// Looks until the soft shutdown.
    pub(crate) async fn run(self, shutdown: Shutdown) {
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
            self.look().await;
        }
    }

    /// Looks once: at the schemas first, because tables are joined by them.
    pub(crate) async fn look(&self) {
        let before = self.before(Files::Schemas).await;
        let rulebook = Arc::clone(&self.rulebook);
        let work = move || rulebook.refresh();
        tokio::task::spawn_blocking(work).await.expect("loading is total, and its task is never cancelled");
        self.settle(Files::Schemas, before, &self.rulebook.standing()).await;

        let before = self.before(Files::Lookups).await;
        Arc::clone(&self.tables).refresh(&self.bus, &self.rulebook.current()).await;
        self.settle(Files::Lookups, before, &self.tables.standing()).await;
    }

    async fn before(&self, files: Files) -> Option<Before> {
        match self.bus.last_alert(files.kind(), None, None).await {
            Ok(Some(stored)) => Some(Before { sequence: stored.sequence, last: Some(stored.message) }),
            Ok(None) => Some(Before { sequence: 0, last: None }),
            Err(Error::Undecodable { sequence, .. }) => {
                tracing::error!(sequence, "a message of ALERTS is no alert; the alert begins anew after it");
                Some(Before { sequence, last: None })
            }
            Err(error) => {
                tracing::warn!(kind = files.kind(), %error, "an alert cannot be read; it is judged at the next look");
                None
            }
        }
    }

    /// Brings the alert in line with how the files stand. What fails is left to the next look.
    async fn settle(&self, files: Files, before: Option<Before>, standing: &Standing) {
        self.metrics.files_stand(files, standing);
        let Some(Before { sequence, last }) = before else { return };
        let Some(alert) = files::transition(last.as_ref(), files, standing, clock::now()) else { return };
        match self.bus.publish_alert(files.kind(), None, None, &alert, sequence).await {
            // A conflict: another normalizer was faster.
            Ok(Publication::Stored { .. } | Publication::Repeated { .. } | Publication::Conflict) => {}
            Ok(other) => tracing::warn!(kind = files.kind(), answer = ?other, "an alert could not be written"),
            Err(error) => tracing::warn!(kind = files.kind(), %error, "an alert could not be written"),
        }
    }
}
