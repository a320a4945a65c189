//! What a service's body is given.
//!
//! One cheap-to-clone value with everything of the process that is not the service's own business: when to stop, where to
//! count, how to say that a component is down, how to start a task that is missed when it dies.

use crate::shutdown::Shutdown;
use crate::tasks::Tasks;
use crate::{Health, Metrics, Service};
use std::future::Future;

/// The process as its services see it. Clones share everything.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who this is.
    pub service: Service,
    /// When to stop.
    pub shutdown: Shutdown,
    /// Where to count.
    pub metrics: Metrics,
    /// Which components answer.
    pub health: Health,
    pub(crate) tasks: Tasks,
}

impl Context {
    /// A fresh one, with only `build_info` among its metrics. [`crate::run_with`] makes the one of a process; tests make
    /// their own.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self::with(service, Metrics::new())
    }

    pub(crate) fn with(service: Service, metrics: Metrics) -> Self {
        let shutdown = Shutdown::new();
        metrics.register_build_info(&service);
        Self { service, tasks: Tasks::new(shutdown.clone()), shutdown, metrics, health: Health::new() }
    }

    /// Spawns a watched task: if it fails or panics, the soft shutdown begins and the process' exit code says so; the
    /// process ends only after it. It should end by itself once [`Shutdown::soft`] is cancelled.
    ///
    /// Needs a tokio runtime. The name is for the log.
    pub fn spawn<F, E>(&self, name: impl Into<String>, future: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        self.tasks.spawn(name, future);
    }
}
