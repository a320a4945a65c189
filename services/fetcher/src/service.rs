//! Takes tasks, as many at once as there are permits, and answers each.

mod past;
mod polls;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use latchkey_bus::{Bus, Delivered};
use latchkey_contracts::{
    Chain,
    task::{Task, task::Kind},
};
use latchkey_core::{audit::Schedule, budget::Limits};
use latchkey_runtime::Shutdown;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use self::polls::Answer;
use crate::{
    audit::{After, Audits},
    budget::Budgets,
    lanes::Lanes,
    metrics::Metrics,
    roster::Roster,
};

/// How often a long turn extends its lease: three times within the consumer's `ack_wait` of 30 s.
const LEASE_RENEWAL: Duration = Duration::from_secs(10);

/// When a task for a source that this fetcher does not know is offered again, perhaps to one that does.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(30);

/// Polls chains.
pub struct Fetcher(Arc<Inner>);

struct Inner {
    roster: Roster,
    lanes: Lanes,
    bus: Bus,
    budgets: Budgets,
    audits: Audits,
    metrics: Metrics,
}

impl Fetcher {
    pub(crate) fn new(
        roster: Roster,
        concurrency: NonZeroUsize,
        limits: Limits,
        schedule: Option<Schedule>,
        bus: Bus,
        metrics: Metrics,
    ) -> Self {
        Self(Arc::new(Inner {
            roster,
            lanes: Lanes::new(concurrency),
            budgets: Budgets::new(bus.clone(), limits, metrics.clone()),
            audits: Audits::new(schedule),
            bus,
            metrics,
        }))
    }

    /// Every chain that the configuration file names.
    #[must_use]
    pub fn chains(&self) -> Vec<Chain> {
        self.0.roster.chains()
    }

    /// Creates the tasks that are missing and works until the soft shutdown; then finishes or hands back what it holds.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), latchkey_bus::Error> {
        let (ready, is_ready) = oneshot::channel();
        let follow = Box::pin(self.0.roster.follow(&shutdown, || _ = ready.send(())));
        let work = async {
            match is_ready.await {
                Ok(()) => self.work(&shutdown).await,
                // The other side has failed, and says why.
                Err(_) => Ok(()),
            }
        };
        tokio::try_join!(follow, work).map(|_| ())
    }

    async fn work(&self, shutdown: &Shutdown) -> Result<(), latchkey_bus::Error> {
        let mut tasks = self.0.bus.tasks();
        let turns = TaskTracker::new();
        loop {
            let permit = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                permit = self.0.lanes.turn() => permit,
            };
            let task = tokio::select! {
                () = shutdown.soft().cancelled() => break,
                task = tasks.next() => task?,
            };
            let (inner, shutdown) = (Arc::clone(&self.0), shutdown.clone());
            turns.spawn(async move {
                if is_poll(&task) {
                    inner.answer(task, &shutdown).await;
                    drop(permit);
                } else {
                    // Reading the past takes no place from polling.
                    drop(permit);
                    inner.reread(task, &shutdown).await;
                }
            });
        }
        tasks.close().await;
        turns.close();
        tokio::select! {
            () = turns.wait() => {}
            () = shutdown.hard().cancelled() => {}
        }
        Ok(())
    }
}

impl Inner {
    async fn answer(&self, task: Delivered<Task>, shutdown: &Shutdown) {
        let answered = match self.judge(&task, shutdown).await {
            Answer::Later(delay) => task.nak(delay).await,
            Answer::Never => task.term().await,
        };
        if let Err(error) = answered {
            // Nobody hears the answer, so the task comes again when its lease ends.
            tracing::warn!(subject = task.subject, %error, "a task could not be handed back");
        }
    }

    /// Reads a chain's past again for a turn.
    async fn reread(&self, task: Delivered<Task>, shutdown: &Shutdown) {
        let answered = match self.turn_of_past(&task, shutdown).await {
            After::Again(delay) => task.nak(delay).await,
            After::Done => task.ack().await,
        };
        if let Err(error) = answered {
            tracing::warn!(subject = task.subject, %error, "a task could not be answered");
        }
    }
}

/// What cannot be read is handed back with a pause, as a poll of an unknown chain is.
fn is_poll(task: &Delivered<Task>) -> bool {
    task.message.as_ref().map_or(true, |message| matches!(message.kind(), Kind::Poll | Kind::Unspecified))
}

fn chain(task: &Delivered<Task>) -> Option<Chain> {
    let message = task.message.as_ref().ok()?;
    Some(Chain { source: message.source.parse().ok()?, feed: message.feed.parse().ok()? })
}

async fn renew(task: &Delivered<Task>) -> Duration {
    loop {
        tokio::time::sleep(LEASE_RENEWAL).await;
        if let Err(error) = task.progress().await {
            tracing::debug!(%error, "the lease could not be extended; the expected sequence protects the chain all the same");
        }
    }
}
