//! Tells alerters of drift: at once, and then a report per chain once a minute at most.
//!
//! A report that is not stored is not repeated: whatever goes on is in the next one.

use std::{sync::Arc, time::Duration};

use latchkey_bus::{Bus, Publication};
use latchkey_runtime::Shutdown;
use tokio::time::sleep;

use crate::drift::Books;

/// The least from one report to the next; alerters wait twice as long before they take its absence for an answer.
const EVERY: Duration = Duration::from_mins(1);

/// Reports until the soft shutdown, and a last time then.
pub(crate) async fn run(bus: Bus, books: Arc<Books>, shutdown: Shutdown) {
    while !shutdown.soft().is_cancelled() {
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            () = books.reported() => {}
        }
        report(&bus, &books).await;
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            () = sleep(EVERY) => {}
        }
    }
    report(&bus, &books).await;
}

async fn report(bus: &Bus, books: &Books) {
    for (chain, report) in books.take_reports() {
        match bus.publish_drift(&chain, &report.message(&chain)).await {
            Ok(Publication::Stored { .. } | Publication::Repeated { .. }) => {}
            // What does not answer would be waited for with each of them.
            Ok(answer) => {
                tracing::warn!(source = %chain.source, feed = %chain.feed, ?answer, "a report of drift was not stored");
                return;
            }
            Err(error) => {
                tracing::warn!(source = %chain.source, feed = %chain.feed, %error, "a report of drift was not stored");
                return;
            }
        }
    }
}
