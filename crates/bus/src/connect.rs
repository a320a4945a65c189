//! The connection: one per process, reconnecting by itself, refusing servers that would silently ignore what we rely on.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{Client, ConnectErrorKind, Event, jetstream};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::watch, time::Instant};

use crate::error::Error;

/// How long [`Bus::connect`] tries before it gives up.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Pause between two attempts to connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Bound of one attempt to connect, and of one request to JetStream.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Publishes that may wait for their acknowledgement at once in one process.
const MAX_UNACKNOWLEDGED: usize = 1_024;

/// How a certificate begins in a PEM file.
const CERTIFICATE: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The oldest server whose features (expected sequence by subject, message TTL) this system relies on.
const REQUIRED_VERSION: (i64, i64, i64) = (2, 11, 0);
const REQUIRED_VERSION_TEXT: &str = "2.11";

/// Where the server is and how to enter.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// One or more URLs of one cluster: `nats://host:4222` or `tls://…`.
    pub servers: Vec<String>,
    /// Shown by the server's monitoring.
    pub client_name: String,
    /// A token, if the server wants one.
    pub token: Option<SecretString>,
    /// A `.creds` file with a user's JWT and key.
    pub credentials_file: Option<PathBuf>,
    /// PEM certificates of authorities to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
}

/// The system's view of JetStream. Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub struct Bus {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    connected: watch::Receiver<bool>,
    closing: Arc<AtomicBool>,
}

impl fmt::Debug for Bus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Bus").field("connected", &self.is_connected()).finish_non_exhaustive()
    }
}

impl Bus {
    /// Connects, trying for at most 30 s, for those who expect a server to be there or to be starting.
    pub async fn connect(options: ConnectOptions) -> Result<Self, Error> {
        let deadline = Instant::now() + CONNECT_WITHIN;
        loop {
            match Self::connect_once(&options).await {
                Err(error) if error.is_transient() => {
                    if Instant::now() + CONNECT_PAUSE >= deadline {
                        return Err(error.after(CONNECT_WITHIN));
                    }
                    tokio::time::sleep(CONNECT_PAUSE).await;
                }
                connected => return connected,
            }
        }
    }

    /// Connects if a server answers at this moment. Whether to try again is for the caller to decide, by [`Error::is_transient`].
    pub async fn connect_once(options: &ConnectOptions) -> Result<Self, Error> {
        let (announce, connected) = watch::channel(false);
        let closing = Arc::new(AtomicBool::new(false));
        let attempt = client_options(options, &announce, &closing).await?;
        let servers = || without_secrets(&options.servers);
        let client = attempt.connect(options.servers.as_slice()).await.map_err(|error| match error.kind() {
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                Error::Refused { servers: servers(), reason: error.to_string() }
            }
            ConnectErrorKind::ServerParse => Error::Settings(format!("url {}: {error}", servers())),
            _ => Error::Connect { servers: servers(), seconds: CALL_TIMEOUT.as_secs(), reason: error.to_string() },
        })?;
        let (major, minor, patch) = REQUIRED_VERSION;
        if !client.is_server_compatible(major, minor, patch) {
            return Err(Error::Version { found: client.server_info().version, required: REQUIRED_VERSION_TEXT });
        }
        announce.send_replace(true);
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(CALL_TIMEOUT)
            .ack_timeout(CALL_TIMEOUT)
            .max_ack_inflight(MAX_UNACKNOWLEDGED)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self { client, jetstream, connected, closing })
    }

    /// Whether the connection stands at this moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        *self.connected.borrow()
    }

    /// Tells when the connection is lost and found.
    #[must_use]
    pub fn connection(&self) -> watch::Receiver<bool> {
        self.connected.clone()
    }

    /// Ends the connection after what is under way, so that a server that is about to stop is not missed.
    ///
    /// For all clones: nothing can be sent or received afterwards.
    pub async fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        // Both fail only if the connection has ended already.
        let _ = self.client.flush().await;
        let _ = self.client.drain().await;
    }

    /// The largest message the server accepts, headers included, in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    /// The server's version, for start lines and bug reports.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }
}

async fn client_options(
    options: &ConnectOptions,
    announce: &watch::Sender<bool>,
    closing: &Arc<AtomicBool>,
) -> Result<async_nats::ConnectOptions, Error> {
    let (announce, closing) = (announce.clone(), Arc::clone(closing));
    let mut client = async_nats::ConnectOptions::new()
        .name(&options.client_name)
        .connection_timeout(CALL_TIMEOUT)
        .request_timeout(Some(CALL_TIMEOUT))
        .custom_inbox_prefix(format!("_INBOX_{}", options.client_name.replace(['.', '*', '>', ' '], "_")))
        .event_callback(move |event| {
            // The end of a connection that is being closed is no news.
            let news = (!closing.load(Ordering::Relaxed)).then(|| announce.clone());
            async move {
                if let Some(announce) = news {
                    note(&event, &announce);
                }
            }
        });
    if let Some(token) = &options.token {
        client = client.token(token.expose_secret().to_owned());
    }
    if let Some(path) = &options.credentials_file {
        let refused = |error| Error::Settings(format!("credentials_file {}: {error}", path.display()));
        client = client.credentials_file(path).await.map_err(refused)?;
    }
    if let Some(path) = &options.ca_file {
        check_authorities(path).await?;
        client = client.add_root_certificates(path.clone());
    }
    Ok(client)
}

/// The client reads the file while it connects, and what is wrong with it then looks like a server that does not answer.
async fn check_authorities(path: &Path) -> Result<(), Error> {
    let refused = |reason: &dyn fmt::Display| Error::Settings(format!("ca_file {}: {reason}", path.display()));
    let text = tokio::fs::read(path).await.map_err(|error| refused(&error))?;
    let holds_one = text.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE);
    holds_one.then_some(()).ok_or_else(|| refused(&"it holds no PEM certificate"))
}

/// A permission that is denied shows nowhere but here: elsewhere it looks like a time-out.
fn note(event: &Event, announce: &watch::Sender<bool>) {
    match event {
        Event::Connected => {
            if !announce.send_replace(true) {
                tracing::info!("connected to NATS");
            }
        }
        Event::Disconnected => {
            if announce.send_replace(false) {
                tracing::warn!("disconnected from NATS; reconnecting");
            }
        }
        Event::Closed => {
            announce.send_replace(false);
        }
        Event::ServerError(error) => tracing::error!(%error, "NATS refused an operation"),
        Event::ClientError(error) => tracing::warn!(%error, "NATS client error"),
        Event::SlowConsumer(_) => tracing::warn!("a subscription is too slow for its messages"),
        Event::LameDuckMode | Event::Draining => tracing::info!("the NATS server is shutting down; moving on"),
    }
}

/// Addresses as people may see them: user names, passwords and tokens removed.
fn without_secrets(servers: &[String]) -> String {
    let bare = |server: &String| match (server.split_once("://"), server.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => server.clone(),
    };
    servers.iter().map(bare).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_secrets() {
        let check = |server: &str, expect: &str| assert_eq!(without_secrets(&[server.into()]), expect);
        check("nats://127.0.0.1:4222", "nats://127.0.0.1:4222");
        check("nats://user:secret@host:4222", "nats://host:4222");
        check("token@host:4222", "host:4222");
    }
}
