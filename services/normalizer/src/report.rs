//! Tells alerters of drift: at once, then a report per chain once a minute at most, and a last time when nothing is in work any more.
//!
//! Pages of a chain are normalized by several processes. Each adds what it has met to the value that is in the bucket, onto that value's
//! sequence, so that whoever reads the newest knows all of it. What could not be stored is told with the next report.

use std::{iter, sync::Arc, time::Duration};

use latchkey_bus::{Bus, Error, Publication};
use latchkey_contracts::Chain;
use latchkey_core::normalize::drift::Report;
use latchkey_runtime::Shutdown;
use tokio::time::{sleep, timeout};

use crate::drift::Books;

/// The least from one report to the next; alerters wait twice as long before they take its absence for an answer.
const EVERY: Duration = Duration::from_mins(1);

/// How long the last reports may take: a normalizer that stops does not wait for a server that does not answer. What is not told by then, the
/// log has told; and what goes on drifting, others meet.
const LAST_WITHIN: Duration = Duration::from_secs(5);

/// How often another normalizer may tell of the same chain at the same moment.
const ATTEMPTS: usize = 5;

/// Why a report was not stored.
#[derive(Debug, thiserror::Error)]
enum Untold {
    /// Others may be told of. The next attempt is a minute later.
    #[error("others report of the chain at the same moment")]
    Contended,
    /// It would not help to go on.
    #[error("no certain answer: {0}")]
    Unanswered(String),
}

/// Reports until the soft shutdown.
pub(crate) async fn run(bus: Bus, books: Arc<Books>, shutdown: Shutdown) {
    while !shutdown.soft().is_cancelled() {
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            () = books.reported() => {}
        }
        tell_all(&bus, &books).await;
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            () = sleep(EVERY) => {}
        }
    }
}

/// Reports a last time, once no page is in work.
pub(crate) async fn run_last(bus: &Bus, books: &Books) {
    if timeout(LAST_WITHIN, tell_all(bus, books)).await.is_err() {
        tracing::warn!("the last reports of drift were not all stored within {LAST_WITHIN:?}");
    }
}

async fn tell_all(bus: &Bus, books: &Books) {
    let mut reports = books.take_reports().into_iter();
    while let Some((chain, report)) = reports.next() {
        let Err(untold) = tell(bus, &chain, &report).await else { continue };
        tracing::warn!(source = %chain.source, feed = %chain.feed, reason = %untold, "a report of drift was not stored");
        let own = iter::once((chain, report));
        match untold {
            Untold::Contended => books.put_back(own),
            // What does not answer would be waited for with each of them.
            Untold::Unanswered(_) => return books.put_back(own.chain(reports)),
        }
    }
}

async fn tell(bus: &Bus, chain: &Chain, report: &Report) -> Result<(), Untold> {
    let unanswered = |error: &dyn std::fmt::Display| Untold::Unanswered(error.to_string());
    for _ in 0..ATTEMPTS {
        let (known, expected) = match bus.last_drift(chain).await {
            Ok(Some(stored)) => (Report::read(&stored.message), stored.sequence),
            Ok(None) => (None, 0),
            // What nobody can read says nothing.
            Err(Error::Undecodable { sequence, .. }) => (None, sequence),
            Err(error) => return Err(unanswered(&error)),
        };
        let whole = known.map_or_else(
            || report.clone(),
            |mut known| {
                known.join(report.clone());
                known
            },
        );
        match bus.publish_drift(chain, &whole.message(chain), expected).await {
            Ok(Publication::Stored { .. } | Publication::Repeated { .. }) => return Ok(()),
            Ok(Publication::Conflict) => {}
            Ok(other) => return Err(unanswered(&format!("{other:?}"))),
            Err(error) => return Err(unanswered(&error)),
        }
    }
    Err(Untold::Contended)
}
