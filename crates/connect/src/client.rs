//! Sends requests, one at a time and once each: no retries, no redirects, bounded answers.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};
use reqwest::{
    Certificate, StatusCode, Url,
    header::{AUTHORIZATION, HeaderMap, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Error;

/// How requests are made.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Certificates to trust beside the machine's own, in PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// To connect, TLS included.
    pub connect_timeout: Duration,
    /// For the whole request.
    pub timeout: Duration,
    /// The largest answer, in bytes after decompression. An item takes about 500 bytes of a list.
    pub max_body: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            ca_pem: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_mins(2),
            max_body: 128 << 20,
        }
    }
}

/// A client for one Connect server and token.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    max_body: usize,
}

/// A vault, as far as reading its items needs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Vault {
    /// Its UUID.
    pub id: String,
    /// Grows whenever an item of it changes.
    #[serde(rename = "contentVersion")]
    pub content_version: u64,
}

impl Client {
    /// Sets a client up. Sends nothing yet.
    ///
    /// The operator chose the address, so it may be plain HTTP, as Connect servers are often run inside a cluster.
    pub fn new(base: Url, token: &SecretString, options: &ClientOptions) -> Result<Self, Error> {
        check(&base)?;
        // The first provider of the process stays; whoever came first chose ring as well, the only one that is compiled in.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("latchkey/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers(token)?)
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .gzip(true)
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout);
        if base.scheme() == "http" {
            // Nothing to verify, so a machine without any certificates will do.
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = &options.ca_pem {
            let certificates = Certificate::from_pem_bundle(pem).unwrap_or_default();
            if certificates.is_empty() {
                return Err(Error::Setup("the CA file holds no certificate in PEM"));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|_| Error::Setup("TLS or proxy settings are unusable"))?;
        Ok(Self { http, base, max_body: options.max_body })
    }

    /// The list of vaults as it came, and what of it decides which items to read.
    pub async fn vaults(&self) -> Result<(Bytes, Vec<Vault>), Error> {
        let list = self.get(&["v1", "vaults"]).await?;
        let vaults = serde_json::from_slice(&list).map_err(|_| Error::Malformed)?;
        Ok((list, vaults))
    }

    /// The list of a vault's items as it came: titles, categories, times; no fields.
    pub async fn items(&self, vault: &Vault) -> Result<Bytes, Error> {
        self.get(&["v1", "vaults", &vault.id, "items"]).await
    }

    async fn get(&self, path: &[&str]) -> Result<Bytes, Error> {
        let mut url = self.base.clone();
        // Each part is escaped, so that an id stays one.
        url.path_segments_mut().map_err(|()| Error::Address("has no path"))?.pop_if_empty().extend(path);
        let mut answer = self.http.get(url).send().await.map_err(|error| failure(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(Error::Refused(status.as_u16())),
            status => return Err(Error::Status(status.as_u16())),
        }
        let mut body = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| failure(&error))? {
            if piece.len() > self.max_body - body.len() {
                return Err(Error::TooLarge(self.max_body));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").finish_non_exhaustive()
    }
}

/// A vault's id names it well enough.
impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault({} at {})", self.id, self.content_version)
    }
}

fn check(base: &Url) -> Result<(), Error> {
    if !matches!(base.scheme(), "https" | "http") {
        return Err(Error::Address("must begin with https:// or http://"));
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(Error::Address("must not carry a user name or password"));
    }
    if base.query().is_some() || base.fragment().is_some() {
        return Err(Error::Address("must not carry a query or a fragment"));
    }
    Ok(())
}

fn headers(token: &SecretString) -> Result<HeaderMap, Error> {
    let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| Error::Setup("the token does not fit into an HTTP header"))?;
    authorization.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization)]))
}

fn failure(error: &reqwest::Error) -> Error {
    if error.is_timeout() { Error::Timeout } else { Error::Connection }
}
