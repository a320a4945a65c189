//! The nats-server behind the line: the operator's, or a private one.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use latchkey_bus::server::{self, ObtainOptions, Server, ServerOptions};
use latchkey_runtime::NatsConfig;
use tokio::time::Instant;

use crate::options::LineOptions;

/// How often a private server that dies is started again within [`RESTART_WINDOW`].
const MAX_RESTARTS: usize = 5;
const RESTART_WINDOW: Duration = Duration::from_mins(10);

/// The server and how to reach it.
pub(crate) struct Nats {
    pub(crate) config: NatsConfig,
    private: Option<Server>,
    restarts: Vec<Instant>,
}

impl Nats {
    /// Takes the operator's server, or obtains and starts a private one under `data_dir`.
    pub(crate) async fn start(options: &LineOptions, data_dir: &Path) -> anyhow::Result<Self> {
        let mut config = NatsConfig::default();
        if let Some(url) = &options.nats_url {
            config.url = url.split(',').map(|server| server.trim().to_owned()).collect();
            config.token_file.clone_from(&options.nats_token_file);
            return Ok(Self { config, private: None, restarts: Vec::new() });
        }
        let binary = server::obtain(ObtainOptions::default(), |step| tracing::warn!("{step}")).await?;
        let store_dir = data_dir.join("nats");
        // The default survives kill -9 and not a power cut.
        let options = ServerOptions { sync_always: true, ..ServerOptions::new(binary, store_dir) };
        let server = Server::start(options).await.context("starting a private nats-server")?;
        config.url = vec![server.url()];
        config.token_file = Some(server.token_file());
        Ok(Self { config, private: Some(server), restarts: Vec::new() })
    }

    /// Starts the private server again whenever it dies, until it has died too often. Never returns for an operator's server.
    ///
    /// Cancel-safe between two deaths.
    pub(crate) async fn keep_alive(&mut self) -> anyhow::Error {
        let Some(server) = &mut self.private else { return std::future::pending().await };
        loop {
            let death = server.ended().await;
            self.restarts.retain(|restart| restart.elapsed() < RESTART_WINDOW);
            if self.restarts.len() >= MAX_RESTARTS {
                return anyhow::Error::new(death).context("the private nats-server keeps dying");
            }
            self.restarts.push(Instant::now());
            tracing::warn!(error = %death, "the private nats-server died; starting it again");
            if let Err(error) = server.restart().await {
                return anyhow::Error::new(error).context("the private nats-server could not be started again");
            }
        }
    }

    /// Ends the private server after it has written everything.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        match self.private {
            Some(server) => server.stop().await.context("stopping the private nats-server"),
            None => Ok(()),
        }
    }
}
