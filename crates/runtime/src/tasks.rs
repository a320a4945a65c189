//! Tasks that are watched.
//!
//! A task that dies unseen leaves a service that looks alive and does nothing. Every long-lived task is therefore spawned
//! here: one that fails or panics starts the soft shutdown and decides the exit code, and the process does not end before
//! all of them have.

use crate::exit::{self, Exit};
use crate::shutdown::{Reason, Shutdown};
use futures::FutureExt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The watched tasks of a process. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    tracker: TaskTracker,
    shutdown: Shutdown,
    /// Drops every task that is left, at its next await.
    abandon: CancellationToken,
    failure: Arc<OnceLock<Exit>>,
}

impl Tasks {
    pub(crate) fn new(shutdown: Shutdown) -> Self {
        Self { tracker: TaskTracker::new(), shutdown, abandon: CancellationToken::new(), failure: Arc::default() }
    }

    /// Spawns a task under a name (one of a few, fixed in the program) for the log.
    pub(crate) fn spawn<F, E>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let this = self.clone();
        let name = name.into();
        self.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(future).catch_unwind();
            tokio::select! {
                () = this.abandon.cancelled() => tracing::warn!(task = name, "task abandoned"),
                outcome = guarded => match outcome {
                    Ok(Ok(())) => tracing::debug!(task = name, "task ended"),
                    Ok(Err(error)) => this.failed(name, &error.into()),
                    Err(_) => this.panicked(name),
                },
            }
        });
    }

    /// Waits until every task has ended.
    pub(crate) async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Drops the tasks that are left, and says how many there were.
    pub(crate) fn abandon(&self) -> usize {
        let left = self.tracker.len();
        self.abandon.cancel();
        left
    }

    /// What the first task that failed asks for.
    pub(crate) fn failure(&self) -> Option<Exit> {
        self.failure.get().copied()
    }

    fn failed(&self, name: String, error: &anyhow::Error) {
        match exit::code_of(error) {
            Exit::Ok => tracing::info!(task = name, "{error:#}"),
            exit => {
                tracing::error!(task = name, error = format!("{error:#}"), "task failed");
                self.end_by(name, exit);
            }
        }
    }

    fn panicked(&self, name: String) {
        // Message and place were logged by the panic hook.
        tracing::error!(task = name, "task panicked");
        self.end_by(name, Exit::Internal);
    }

    fn end_by(&self, name: String, exit: Exit) {
        // Later failures are mostly echoes of the first one.
        let _ = self.failure.set(exit);
        self.shutdown.begin(Reason::TaskFailed(name));
    }
}
