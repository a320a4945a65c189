//! How a service comes to the bus: connected, provisioned, and part of readiness from then on.
//!
//! Every service does the same here, so it is done once: section `nats` of the configuration becomes a connection, missing streams
//! and consumers are created, and component `nats` follows the connection.
//!
//! Services and their NATS start in any order, so a NATS or a JetStream that is not there yet is waited for: alive, not ready, and with a
//! line in the log for each cause. What waiting does not mend (refused credentials, drift, streams that the server cannot have, a server too
//! old) ends the process at once.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Unit};
use latchkey_bus::{Bus, ConnectOptions};
use latchkey_contracts::topology::Limits;
use secrecy::SecretString;

use crate::{ComponentHandle, Context, Failure, NatsConfig};

/// Pauses between attempts: short enough for a NATS that starts beside us, long enough for one that is away.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Context {
    /// Connects as section `nats` says and makes sure that all streams and consumers exist, waiting for NATS for as long as that says.
    ///
    /// Fails with [`Failure::Configuration`] where starting again changes nothing (unreadable files, refused credentials, drift, streams that
    /// the server cannot have, a server too old), with [`Failure::Stopped`] if the process is asked to stop meanwhile, else with [`Failure::Unavailable`]. Needs a tokio
    /// runtime.
    pub async fn connect(&self, nats: &NatsConfig) -> Result<Bus, Failure> {
        let component = self.health.component("nats");
        let options = ConnectOptions {
            servers: nats.url.clone(),
            client_name: self.service.full_name(),
            token: nats.token_file.as_deref().map(read_token).transpose()?,
            credentials_file: nats.credentials_file.clone(),
            ca_file: nats.ca_file.clone(),
        };
        let limits = Limits { max_bytes: nats.max_bytes, replicas: nats.replicas };
        let patience = nats.patience.unsigned_abs();
        let bus = tokio::select! {
            biased;
            () = self.shutdown.soft().cancelled() => return Err(Failure::Stopped("waiting for NATS")),
            bus = wait(&options, limits, patience, &component) => bus?,
        };
        self.spawn("nats health", follow(bus.clone(), component, self.shutdown.soft().clone()));
        Ok(bus)
    }
}

/// Tries until NATS answers and JetStream has all that is needed.
async fn wait(
    options: &ConnectOptions,
    limits: Limits,
    patience: Duration,
    component: &ComponentHandle,
) -> Result<Bus, Failure> {
    let (began, mut pause, mut told, mut bus) = (Instant::now(), FIRST_PAUSE, String::new(), None);
    loop {
        let error = match attempt(&mut bus, options, limits).await {
            Ok(bus) => return Ok(bus),
            Err(error) if !error.is_transient() => return Err(Failure::Configuration(error.to_string())),
            Err(error) => error,
        };
        let left = patience.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err(Failure::unavailable("nats", error.after(began.elapsed())));
        }
        let reason = error.to_string();
        if reason != told {
            let left = SignedDuration::try_from(left).unwrap_or(SignedDuration::MAX).round(Unit::Second);
            component.not_ready(format!("waiting for NATS, for {:#} at most: {reason}", left.unwrap_or_default()));
            told = reason;
        }
        tokio::time::sleep(pause.min(left)).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// A connection that stands is kept in `bus` while JetStream is not ready for it.
async fn attempt(bus: &mut Option<Bus>, options: &ConnectOptions, limits: Limits) -> Result<Bus, latchkey_bus::Error> {
    let connected = match bus {
        Some(connected) => connected.clone(),
        None => bus.insert(Bus::connect_once(options).await?).clone(),
    };
    connected.provision(limits).await?;
    Ok(connected)
}

fn read_token(path: &Path) -> Result<SecretString, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(error) => Err(Failure::Configuration(format!("nats.token_file {}: {error}", path.display()))),
    }
}

async fn follow(
    bus: Bus,
    component: ComponentHandle,
    stop: tokio_util::sync::CancellationToken,
) -> Result<(), std::convert::Infallible> {
    let mut connection = bus.connection();
    loop {
        if *connection.borrow_and_update() {
            component.ready();
        } else {
            component.not_ready("disconnected");
        }
        let changed = tokio::select! {
            () = stop.cancelled() => break,
            changed = connection.changed() => changed,
        };
        if changed.is_err() {
            break;
        }
    }
    Ok(())
}
