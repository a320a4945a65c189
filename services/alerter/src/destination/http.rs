//! Posts bodies to addresses, some of which are secrets.

use std::time::Duration;

use reqwest::{
    Client, RequestBuilder, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect,
};
use secrecy::ExposeSecret;

use super::{Failure, SecretFile};
use crate::config::WebhookUrl;

/// Whoever asks to be left alone for longer than this is asked again all the same.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(10);

/// Where to.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Url(WebhookUrl),
    File(SecretFile),
}

impl Address {
    pub(crate) fn read(&self) -> Result<Url, Failure> {
        match self {
            Self::Url(url) => Ok(url.clone().into()),
            Self::File(file) => {
                let text = file.read()?.expose_secret().to_owned();
                let url = WebhookUrl::try_from(text).map_err(|reason| Failure::Secret(format!("it holds {reason}")))?;
                Ok(url.into())
            }
        }
    }
}

/// A client for one destination.
pub(crate) struct Poster {
    http: Client,
    address: Address,
}

impl Poster {
    pub(crate) fn new(address: Address, timeout: Duration) -> Result<Self, Failure> {
        let url = address.read()?;
        latchkey_runtime::install_crypto();
        let mut builder = Client::builder()
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            // A redirect could carry the secret and the alert elsewhere.
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
        let http = builder.build().map_err(|error| Failure::Setup(error.without_url().to_string()))?;
        Ok(Self { http, address })
    }

    /// A request to the address with `path` behind it.
    pub(crate) fn request(
        &self,
        path: &str,
        content_type: &'static str,
        body: String,
    ) -> Result<RequestBuilder, Failure> {
        let mut url = self.address.read()?;
        if !path.is_empty() {
            url.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
        }
        Ok(self.http.post(url).header(CONTENT_TYPE, content_type).body(body))
    }
}

/// Adds a bearer token, if there is one.
pub(crate) fn authorized(request: RequestBuilder, file: Option<&SecretFile>) -> Result<RequestBuilder, Failure> {
    let Some(file) = file else { return Ok(request) };
    Ok(request.bearer_auth(file.read()?.expose_secret()))
}

/// One attempt.
pub(crate) async fn send(request: RequestBuilder) -> Result<(), Failure> {
    let answer = request.send().await;
    let answer = answer.map_err(|error| if error.is_timeout() { Failure::Timeout } else { Failure::Connect })?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    Err(Failure::Status { status, retry_after })
}
