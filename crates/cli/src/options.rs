//! Options that every way of running the line has.

#![expect(clippy::doc_markdown, reason = "comments on arguments are help text, shown as they stand")]

use std::{io::IsTerminal, net::SocketAddr, path::PathBuf};

use clap::Args;
use latchkey_core::delivery;
use latchkey_runtime::{HttpConfig, RunConfig, TelemetryConfig, config::LogFormat};

/// Where things lie and how they are watched.
#[derive(Args, Clone)]
pub(crate) struct LineOptions {
    /// A directory, or an object store: file://…, s3://bucket/prefix, gs://…, az://… (default: events in the data directory)
    #[arg(long, value_name = "URL", env = "LATCHKEY_OUTPUT")]
    pub(crate) output: Option<String>,
    /// How objects are compressed: none or zstd
    #[arg(long, value_name = "none|zstd", env = "LATCHKEY_OUTPUT_COMPRESSION", default_value = "none")]
    pub(crate) output_compression: Compression,
    /// Use this nats-server instead of a private one
    #[arg(long, value_name = "URL", env = "LATCHKEY_NATS_URL")]
    pub(crate) nats_url: Option<String>,
    /// A file with the token for --nats-url
    #[arg(long, value_name = "FILE", env = "LATCHKEY_NATS_TOKEN_FILE", requires = "nats_url")]
    pub(crate) nats_token_file: Option<PathBuf>,
    /// Serve /metrics, /livez and /readyz here, such as 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS", env = "LATCHKEY_LISTEN")]
    listen: Option<SocketAddr>,
    /// Send traces to this OTLP collector, such as http://127.0.0.1:4317
    #[arg(long, value_name = "URL", env = "LATCHKEY_OTLP_ENDPOINT")]
    otlp_endpoint: Option<String>,
    /// pretty, or json for machines (default: pretty on a terminal)
    #[arg(long, value_name = "pretty|json", env = "LATCHKEY_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// error, warn, info, debug, or a list such as info,latchkey_bus=debug
    #[arg(long, value_name = "LEVEL", env = "LATCHKEY_LOG_LEVEL")]
    log_level: Option<String>,
}

/// The forwarder's setting, as a flag.
#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Compression {
    None,
    Zstd,
}

impl From<Compression> for delivery::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::None,
            Compression::Zstd => Self::Zstd,
        }
    }
}

impl LineOptions {
    /// The runtime's part of them. On a terminal the progress says what goes on, so the log keeps to warnings.
    pub(crate) fn run_config(&self) -> RunConfig {
        let default_level = if std::io::stderr().is_terminal() { "warn" } else { "info" };
        RunConfig {
            telemetry: TelemetryConfig {
                log_format: self.log_format,
                log_level: self.log_level.clone().unwrap_or_else(|| default_level.into()),
                otlp_endpoint: self.otlp_endpoint.clone(),
                ..TelemetryConfig::default()
            },
            http: HttpConfig { listen: self.listen, ..HttpConfig::default() },
            ..RunConfig::default()
        }
    }
}
