//! The sections every service has, with their defaults.
//!
//! These types are the reference of the common keys: what a key means, its unit and bounds are said here and nowhere else.

use super::value::{self, OneOrMany};
use crate::metrics::DEFAULT_SOURCES;
use crate::telemetry::parse_filter;
use jiff::SignedDuration;
use latchkey_contracts::topology::Limits;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The longest [`ShutdownConfig::grace`]: orchestrators lose patience long before.
pub const MAX_GRACE: SignedDuration = SignedDuration::from_mins(10);

/// The longest [`NatsConfig::patience`]: whoever wants more has a supervisor that starts again.
const MAX_PATIENCE: SignedDuration = SignedDuration::from_hours(24);

/// The least for [`NatsConfig::max_bytes`]: below it, a stream would not hold a few full pages.
pub(crate) const MIN_MAX_BYTES: i64 = 64 << 20;

/// The most for [`HttpConfig::metrics_sources`]: what all feeds together may be, which is more than anybody can scrape.
const MAX_METRICS_SOURCES: usize = 100_000;

/// A service's whole configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config<S> {
    /// Section `nats`.
    pub nats: NatsConfig,
    /// Section `telemetry`.
    pub telemetry: TelemetryConfig,
    /// Section `http`.
    pub http: HttpConfig,
    /// Section `shutdown`.
    pub shutdown: ShutdownConfig,
    /// The section under the service's own name.
    pub service: S,
}

/// How NATS is reached.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Servers of one cluster, `nats://host:port` or `tls://host:port`: a list, or one string with commas. Not empty.
    #[serde(deserialize_with = "servers", serialize_with = "shown_servers")]
    pub url: Vec<String>,
    /// A NATS credentials file (user JWT and nkey seed).
    pub credentials_file: Option<PathBuf>,
    /// A file that holds nothing but the connection's token.
    pub token_file: Option<PathBuf>,
    /// PEM certificates of authorities to trust for TLS, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// What all streams together may store, in bytes. The same for every service: another value than the streams were made with is refused.
    #[serde(deserialize_with = "max_bytes")]
    pub max_bytes: i64,
    /// Copies of each stream: 1, or 3 or 5 on a cluster.
    #[serde(deserialize_with = "replicas")]
    pub replicas: usize,
    /// How long a start waits for NATS, alive and not ready, before it gives up with exit code 69: 0 s to 24 h.
    #[serde(deserialize_with = "patience", serialize_with = "value::show_duration")]
    pub patience: SignedDuration,
}

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Unset: pretty on a terminal, else JSON.
    pub log_format: Option<LogFormat>,
    /// A level, or a list of levels and module=level, with commas: `info,latchkey_bus=debug`.
    #[serde(deserialize_with = "log_level")]
    pub log_level: String,
    /// Where traces are sent by OTLP over gRPC: `http://host:4317`, or `https`. Unset: nowhere; trace context is passed on all the same.
    #[serde(deserialize_with = "endpoint", serialize_with = "shown_endpoint")]
    pub otlp_endpoint: Option<String>,
    /// The share of new traces to record, 0 to 1. A trace begun elsewhere keeps that service's decision.
    #[serde(deserialize_with = "ratio")]
    pub sampling_ratio: f64,
}

/// The look of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object per line, with trace ids.
    Json,
    /// For people.
    Pretty,
}

/// Health and metrics over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// The address that answers `/livez`, `/readyz` and `/metrics`. Unset: none.
    pub listen: Option<SocketAddr>,
    /// How many sources have metrics of their own, 0 to 100000; the others are counted together, in series whose `source` is empty.
    #[serde(deserialize_with = "metrics_sources")]
    pub metrics_sources: usize,
}

/// Patience at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShutdownConfig {
    /// How long work in hand may take after a request to stop: 0 s to 10 min. Keep it under the orchestrator's own patience (Kubernetes: 30 s).
    #[serde(deserialize_with = "grace", serialize_with = "value::show_duration")]
    pub grace: SignedDuration,
}

impl<S: Serialize> Config<S> {
    /// The configuration in effect as a YAML file that would give it, with passwords in URLs struck out.
    ///
    /// # Panics
    /// If `S` has a map whose keys are no words, which no YAML file could have given.
    #[must_use]
    pub fn to_yaml(&self, service: &str) -> String {
        struct Sections<'a, S>(&'a Config<S>, &'a str);
        impl<S: Serialize> Serialize for Sections<'_, S> {
            fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
                let Sections(config, service) = self;
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("nats", &config.nats)?;
                map.serialize_entry("telemetry", &config.telemetry)?;
                map.serialize_entry("http", &config.http)?;
                map.serialize_entry("shutdown", &config.shutdown)?;
                map.serialize_entry(service, &config.service)?;
                map.end()
            }
        }
        serde_saphyr::to_string(&Sections(self, service)).expect("what is read from YAML can be written as YAML")
    }
}

impl NatsConfig {
    /// The servers without user and password, with commas: for logs.
    #[must_use]
    pub fn shown(&self) -> String {
        self.url.iter().map(|url| value::without_userinfo(url)).collect::<Vec<_>>().join(",")
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        let Limits { max_bytes, replicas } = Limits::default();
        Self {
            url: vec!["nats://127.0.0.1:4222".into()],
            credentials_file: None,
            token_file: None,
            ca_file: None,
            max_bytes,
            replicas,
            // A cluster that is started anew node by node takes minutes.
            patience: SignedDuration::from_mins(5),
        }
    }
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig")
            .field("url", &self.shown())
            .field("credentials_file", &self.credentials_file)
            .field("token_file", &self.token_file)
            .field("ca_file", &self.ca_file)
            .field("max_bytes", &self.max_bytes)
            .field("replicas", &self.replicas)
            .field("patience", &self.patience)
            .finish()
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { log_format: None, log_level: "info".into(), otlp_endpoint: None, sampling_ratio: 1.0 }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { listen: None, metrics_sources: DEFAULT_SOURCES }
    }
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { grace: SignedDuration::from_secs(20) }
    }
}

fn servers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let servers = OneOrMany::deserialize(deserializer)?.0;
    if servers.is_empty() {
        return Err(de::Error::custom("no server"));
    }
    let schemes = ["nats://", "tls://", "ws://", "wss://"];
    if servers.iter().any(|url| !schemes.iter().any(|scheme| url.starts_with(scheme))) {
        return Err(de::Error::custom("a server is written nats://host:port or tls://host:port"));
    }
    Ok(servers)
}

fn max_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let bytes = i64::deserialize(deserializer)?;
    if bytes >= MIN_MAX_BYTES { Ok(bytes) } else { Err(de::Error::custom("at least 67108864 (64 MiB) are needed")) }
}

fn replicas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let replicas = usize::deserialize(deserializer)?;
    if [1, 3, 5].contains(&replicas) { Ok(replicas) } else { Err(de::Error::custom("must be 1, 3 or 5")) }
}

fn metrics_sources<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let sources = usize::deserialize(deserializer)?;
    if sources <= MAX_METRICS_SOURCES { Ok(sources) } else { Err(de::Error::custom("must be between 0 and 100000")) }
}

fn patience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let patience = SignedDuration::deserialize(deserializer)?;
    if (SignedDuration::ZERO..=MAX_PATIENCE).contains(&patience) {
        Ok(patience)
    } else {
        Err(de::Error::custom("must be between 0s and 24h"))
    }
}

fn shown_servers<S: Serializer>(servers: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(servers.iter().map(|url| value::without_userinfo(url)))
}

fn log_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_filter(&text).map_err(de::Error::custom)?;
    Ok(text)
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let endpoint = Option::<String>::deserialize(deserializer)?;
    if endpoint.iter().any(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        return Err(de::Error::custom("an endpoint is written http://host:port or https://host:port"));
    }
    Ok(endpoint)
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn shown_endpoint<S: Serializer>(endpoint: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    endpoint.as_deref().map(value::without_userinfo).serialize(serializer)
}

fn ratio<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let ratio = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&ratio) { Ok(ratio) } else { Err(de::Error::custom("a share is between 0 and 1")) }
}

fn grace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SignedDuration, D::Error> {
    let grace = SignedDuration::deserialize(deserializer)?;
    if (SignedDuration::ZERO..=MAX_GRACE).contains(&grace) {
        Ok(grace)
    } else {
        Err(de::Error::custom("must be between 0s and 10m"))
    }
}
