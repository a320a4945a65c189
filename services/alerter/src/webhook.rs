//! Posts transitions to one address.
//!
//! One attempt per call: when to try again is the notifier's business. The header `Idempotency-Key` carries the transition's
//! sequence in ALERTS, the same for each attempt, so a receiver can leave out what it has had.

use std::{path::PathBuf, time::Duration};

use reqwest::{Client, StatusCode, Url, header::CONTENT_TYPE, redirect};

use crate::notification::Notification;

/// A bearer token's file holds one line; anything larger is another file.
const MAX_BEARER: u64 = 16 << 10;

/// One address with its manners.
pub(crate) struct Webhook {
    http: Client,
    url: Url,
    bearer_file: Option<PathBuf>,
    /// Attempts before a transition is given up.
    pub(crate) attempts: u32,
}

/// Why an attempt failed. Never shows the address, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The receiver refuses.
    #[error("the receiver answered {}", .0.as_u16())]
    Status(StatusCode),
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No answer at all.
    #[error("no connection, or it broke")]
    Connect,
    /// The bearer token cannot be read.
    #[error("the bearer file cannot be used: {0}")]
    Bearer(String),
    /// The client cannot be set up.
    #[error("cannot be set up: {0}")]
    Setup(String),
}

impl Webhook {
    pub(crate) fn new(url: Url, bearer_file: Option<PathBuf>, timeout: Duration, attempts: u32) -> Result<Self, Error> {
        latchkey_runtime::install_crypto();
        let mut builder = Client::builder()
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            // A redirect could carry the bearer token and the alert elsewhere.
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(timeout);
        if url.scheme() == "http" {
            // Nothing to verify, so a machine without any certificates will do.
            builder = builder.tls_certs_only([]);
        }
        if matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
            // Proxies of the environment are for the world outside this machine.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| Error::Setup(error.without_url().to_string()))?;
        let webhook = Self { http, url, bearer_file, attempts };
        webhook.bearer()?;
        Ok(webhook)
    }

    /// One attempt to deliver.
    pub(crate) async fn post(&self, notification: &Notification) -> Result<(), Error> {
        let mut request = self
            .http
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", notification.sequence)
            .body(notification.to_json());
        if let Some(bearer) = self.bearer()? {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await;
        let status = answer.map_err(|error| if error.is_timeout() { Error::Timeout } else { Error::Connect })?.status();
        if status.is_success() { Ok(()) } else { Err(Error::Status(status)) }
    }

    /// Read for each attempt, so that a rotated token is used at once. The file is small and local.
    fn bearer(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.bearer_file else { return Ok(None) };
        let unusable = |reason: String| Error::Bearer(format!("{}: {reason}", path.display()));
        let size = std::fs::metadata(path).map_err(|error| unusable(error.to_string()))?.len();
        if size > MAX_BEARER {
            return Err(unusable("too large".into()));
        }
        let text = std::fs::read_to_string(path).map_err(|error| unusable(error.to_string()))?;
        match text.trim() {
            "" => Err(unusable("empty".into())),
            bearer if bearer.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(Some(bearer.into())),
            _ => Err(unusable("not one word of plain characters".into())),
        }
    }
}
