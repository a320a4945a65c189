//! How a service comes to the bus: connected, provisioned, and part of readiness from then on.
//!
//! Every service does the same here, so it is done once: section `nats` of the configuration becomes a connection, missing streams
//! and consumers are created, and component `nats` follows the connection.

use std::path::Path;

use latchkey_bus::{Bus, ConnectOptions};
use latchkey_contracts::topology::Limits;
use secrecy::SecretString;

use crate::{ComponentHandle, Context, Failure, NatsConfig};

impl Context {
    /// Connects as section `nats` says and makes sure that all streams and consumers exist.
    ///
    /// Fails with [`Failure::Configuration`] where starting again changes nothing (unreadable files, drift, a server too old), else
    /// with [`Failure::Unavailable`]. Needs a tokio runtime.
    pub async fn connect(&self, nats: &NatsConfig) -> Result<Bus, Failure> {
        let component = self.health.component("nats");
        let options = ConnectOptions {
            servers: nats.url.clone(),
            client_name: self.service.full_name(),
            token: nats.token_file.as_deref().map(read_token).transpose()?,
            credentials_file: nats.credentials_file.clone(),
            ca_file: nats.ca_file.clone(),
        };
        let bus = Bus::connect(options).await.map_err(failure)?;
        bus.provision(Limits { max_bytes: nats.max_bytes, replicas: nats.replicas }).await.map_err(failure)?;
        self.spawn("nats health", follow(bus.clone(), component, self.shutdown.soft().clone()));
        Ok(bus)
    }
}

fn read_token(path: &Path) -> Result<SecretString, Failure> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(SecretString::from(text.trim())),
        Err(error) => Err(Failure::Configuration(format!("nats.token_file {}: {error}", path.display()))),
    }
}

fn failure(error: latchkey_bus::Error) -> Failure {
    if error.is_transient() { Failure::unavailable("nats", error) } else { Failure::Configuration(error.to_string()) }
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
