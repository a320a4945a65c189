//! The two halves, side by side.

use std::time::Duration;

use latchkey_bus::{Bus, Error};
use latchkey_core::verdict::Policy;
use latchkey_runtime::Shutdown;

use crate::{metrics::Metrics, notifier::Notifier, watcher::Watcher};

/// Watches, raises, resolves and notifies.
pub struct Alerter {
    bus: Bus,
    policy: Policy,
    tick: Duration,
    notifier: Notifier,
    metrics: Metrics,
}

impl Alerter {
    pub(crate) fn new(bus: Bus, policy: Policy, tick: Duration, notifier: Notifier, metrics: Metrics) -> Self {
        Self { bus, policy, tick, notifier, metrics }
    }

    /// Works until the soft shutdown.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let watcher = Watcher::open(self.bus, self.policy, self.tick, self.metrics).await?;
        // On the heap: together they are too large to be carried about in the futures of callers.
        tokio::try_join!(Box::pin(watcher.run(&shutdown)), Box::pin(self.notifier.run(&shutdown)))?;
        Ok(())
    }
}
