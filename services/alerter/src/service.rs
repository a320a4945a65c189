//! The parts of an alerter, side by side.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::try_join_all;
use latchkey_bus::{Bus, Error};
use latchkey_core::alert::board::{Policies, Timing};
use latchkey_runtime::Shutdown;
use tokio::sync::mpsc;

use crate::{
    announcer::Announcer,
    api::Api,
    destination::{Destination, Resender},
    heartbeat::{Heartbeat, Pulse, Rhythm},
    keeper::Keeper,
    metrics::Metrics,
    nats_clock::NatsClock,
    notifier::{Attempts, Notifier},
    routing::Routes,
    survey::Surveyor,
    watcher::Watcher,
};

/// How the watcher goes about its work.
pub(crate) struct Watching {
    pub(crate) policies: Policies,
    pub(crate) timing: Timing,
    pub(crate) tick: Duration,
    pub(crate) look_every: Duration,
}

/// How people are told.
pub(crate) struct Telling {
    pub(crate) announcer: Announcer,
    pub(crate) destinations: Vec<Arc<Destination>>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) attempts: Attempts,
    pub(crate) heartbeat: Option<Heartbeat>,
}

/// Watches, raises, resolves and notifies.
pub struct Alerter {
    bus: Bus,
    watching: Watching,
    telling: Telling,
    api: Option<Api>,
    metrics: Metrics,
}

impl Alerter {
    pub(crate) fn new(bus: Bus, watching: Watching, telling: Telling, api: Option<Api>, metrics: Metrics) -> Self {
        Self { bus, watching, telling, api, metrics }
    }

    /// Where programs look after alerts, if anywhere.
    #[must_use]
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().and_then(Api::address)
    }

    /// Works until the soft shutdown.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), Error> {
        let Watching { policies, timing, tick, look_every } = self.watching;
        // One that waits is enough: a look that comes late is as good as the next.
        let (tables, seen) = mpsc::channel(1);
        let nats_clock = NatsClock::new(self.metrics.clone());
        let (pulse, rhythm) = (Pulse::default(), Rhythm { judges_every: tick, looks_every: look_every });
        let Telling { announcer, destinations, routes, attempts, heartbeat } = self.telling;
        let names: Vec<_> = destinations.iter().map(|destination| destination.name.clone()).collect();
        let (mut notifiers, mut resenders) = (Vec::new(), Vec::new());
        for destination in destinations {
            let (routes, metrics) = (Arc::clone(&routes), self.metrics.clone());
            if destination.forgets() {
                let (destination, routes) = (Arc::clone(&destination), Arc::clone(&routes));
                resenders.push(Resender::new(&self.bus, destination, routes, metrics.clone()));
            }
            let anew_after = timing.fresh_for();
            let notifier = Notifier::open(self.bus.clone(), destination, routes, attempts, anew_after, metrics);
            notifiers.push(Box::pin(notifier).await?);
        }
        // On the heap: together they are too large to be carried about in the futures of callers.
        let (looked_at, bus) = (names.clone(), self.bus.clone());
        let surveyor = Surveyor::open(bus, look_every, timing, looked_at, nats_clock.clone(), pulse.clone());
        let surveyor = Box::new(Box::pin(surveyor).await?);
        let (api, desk) = (self.api, self.bus.clone());
        let answers = Box::pin(async {
            if let Some(api) = api {
                api.run(desk, &shutdown).await;
            }
            Ok(())
        });
        let (keeper, hand) = Keeper::new(self.bus.clone());
        let keeps = async {
            keeper.run(&shutdown).await;
            Ok(())
        };
        let watching = (policies, timing, &names[..]);
        let watcher = Watcher::open(self.bus, watching, tick, nats_clock, pulse.clone(), self.metrics, hand);
        let watcher = Box::pin(watcher).await?;
        let beats = async {
            if let Some(heartbeat) = heartbeat {
                heartbeat.run(pulse, rhythm, &shutdown).await;
            }
            Ok(())
        };
        tokio::try_join!(
            Box::pin(surveyor.run(tables, &shutdown)),
            Box::pin(watcher.run(seen, &shutdown)),
            Box::pin(announcer.run(&shutdown)),
            Box::pin(try_join_all(notifiers.into_iter().map(|notifier| notifier.run(&shutdown)))),
            Box::pin(try_join_all(resenders.into_iter().map(|resender| resender.run(&shutdown)))),
            Box::pin(beats),
            Box::pin(keeps),
            answers
        )?;
        Ok(())
    }
}
