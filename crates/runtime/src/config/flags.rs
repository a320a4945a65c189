//! The command line's part of the configuration.
//!
//! Few keys have a flag of their own, those one types by hand; `--set` reaches all others.

use super::LogFormat;
use std::path::PathBuf;

/// Flags every service has. Flatten them into a command of your own to give it the same.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Flags {
    /// Read this YAML file [variable: `LATCHKEY_CONFIG`]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key: `nats.url=nats://192.0.2.1` (repeatable; lists and maps in YAML's brackets)
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Set `nats.url`
    #[arg(long, value_name = "URL")]
    pub nats_url: Option<String>,
    /// Set `http.listen`: where `/livez`, `/readyz` and `/metrics` answer
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// Set `telemetry.log_format`
    #[arg(long, value_enum)]
    pub log_format: Option<LogFormat>,
    /// Set `telemetry.log_level`
    #[arg(long, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Print the configuration in effect, and exit
    #[arg(long)]
    pub print_config: bool,
}

impl Flags {
    /// The flags that set a key: the flag, its path, its text.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &'static str, &str)> {
        let log_format = self.log_format.map(|format| match format {
            LogFormat::Json => "json",
            LogFormat::Pretty => "pretty",
        });
        [
            ("--nats-url", "nats.url", self.nats_url.as_deref()),
            ("--listen", "http.listen", self.listen.as_deref()),
            ("--log-format", "telemetry.log_format", log_format),
            ("--log-level", "telemetry.log_level", self.log_level.as_deref()),
        ]
        .into_iter()
        .filter_map(|(flag, path, text)| Some((flag, path, text?)))
    }
}
