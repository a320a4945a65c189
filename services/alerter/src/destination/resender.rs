//! Says to an Alertmanager what is raised, again and again.
//!
//! Beside the notifier, which carries each transition there once and until it is taken. What is said here is said again soon, so a failure
//! costs nothing but a count.

use std::sync::Arc;

use latchkey_bus::{Bus, Error, Item, Reader};
use latchkey_contracts::alert::Alert;
use latchkey_core::alert;
use latchkey_runtime::{Shutdown, clock};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Channel, Destination,
    alertmanager::{Alertmanager, Mirror},
};
use crate::{metrics::Metrics, notification::Notification, routing::Routes};

/// Alerts in one request: a few hundred KiB.
const CHUNK: usize = 500;

pub(crate) struct Resender {
    destination: Arc<Destination>,
    routes: Arc<Routes>,
    transitions: Reader<Alert>,
    mirror: Mirror,
    metrics: Metrics,
}

impl Resender {
    pub(crate) fn new(bus: &Bus, destination: Arc<Destination>, routes: Arc<Routes>, metrics: Metrics) -> Self {
        let transitions = bus.watch_alerts();
        Self { destination, routes, transitions, mirror: Mirror::default(), metrics }
    }

    /// Repeats until the soft shutdown. Does nothing for a destination that remembers by itself.
    pub(crate) async fn run(mut self, shutdown: &Shutdown) -> Result<(), Error> {
        let destination = Arc::clone(&self.destination);
        let Channel::Alertmanager(alertmanager) = &destination.channel else { return Ok(()) };
        let mut tick = interval(alertmanager.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.soft().cancelled() => return Ok(()),
                item = self.transitions.next() => self.learn(item?),
                _ = tick.tick() => tokio::select! {
                    () = shutdown.soft().cancelled() => return Ok(()),
                    () = self.repeat(alertmanager) => {}
                },
            }
        }
    }

    fn learn(&mut self, item: Item<Alert>) {
        let told = item.message.ok().filter(alert::is_told);
        let notification = told.and_then(|alert| Notification::new(item.sequence, &alert));
        if let Some(notification) = notification.filter(|one| self.routes.lead(one, &self.destination.name)) {
            self.mirror.learn(notification);
        }
    }

    async fn repeat(&mut self, alertmanager: &Alertmanager) {
        let now = clock::now();
        for chunk in self.mirror.current(now).chunks(CHUNK) {
            if let Err(error) = alertmanager.post(chunk, now).await {
                let name = &self.destination.name;
                self.metrics.notification_failed(name);
                tracing::warn!(%error, "{name} was not told again of what is raised");
                return;
            }
        }
    }
}
