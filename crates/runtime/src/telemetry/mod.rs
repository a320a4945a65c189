//! Logs and traces of a process: installed first, flushed last.
//!
//! Spans get ids and W3C trace context travels even when nothing is exported: the trace of a page must survive a service
//! that has no collector configured, and JSON logs carry the ids either way.

mod logs;
mod traces;

pub use logs::LogFilterError;
pub use traces::{FLUSH_LIMIT, MAX_QUEUED_SPANS};

use crate::Service;
use crate::config::TelemetryConfig;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

pub(crate) use logs::parse_filter;

/// Telemetry that could not be installed. Permanent: the configuration or the program has to change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log filter.
    #[error("telemetry.log_level: {0}")]
    LogLevel(#[from] LogFilterError),
    /// The exporter.
    #[error("telemetry.otlp_endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The process has telemetry already.
    #[error("telemetry is installed twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Keeps the export going; its flush is the last thing a process does.
#[derive(Debug)]
#[must_use = "spans of the last seconds are lost unless this is flushed"]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
}

/// Installs logs, traces and the W3C propagator for the whole process. Call once, inside a tokio runtime (the exporter's
/// connection lives on it).
pub fn install(config: &TelemetryConfig, service: &Service) -> Result<TelemetryGuard, Error> {
    let provider = traces::provider(config, service)?;
    tracing_subscriber::registry()
        .with(traces::layer(&provider))
        .with(logs::layer(config, std::io::stderr)?)
        .try_init()?;
    traces::make_global(&provider);
    Ok(TelemetryGuard { provider })
}

impl TelemetryGuard {
    /// Sends what is queued and stops the export; gives up after `limit` ([`FLUSH_LIMIT`] is a good one).
    ///
    /// Blocks its thread, so call it outside the event loop; the tokio runtime must still be alive.
    pub fn flush(self, limit: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(limit) {
            // Reaches the log, which needs no flush.
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFormat;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Lines {
        type Writer = Lines;

        fn make_writer(&'a self) -> Lines {
            self.clone()
        }
    }

    #[test]
    fn json_logs_carry_the_trace_without_any_exporter() {
        let config = TelemetryConfig { log_format: Some(LogFormat::Json), ..TelemetryConfig::default() };
        let service = Service { name: "test", version: "0", about: "" };
        let provider = traces::provider(&config, &service).unwrap();
        let lines = Lines::default();
        let subscriber = tracing_subscriber::registry()
            .with(traces::layer(&provider))
            .with(logs::layer(&config, lines.clone()).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info_span!("page", feed = "audit_events").in_scope(|| tracing::info!(count = 3, "published"));
        });

        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["fields"]["message"], "published");
        assert_eq!(line["fields"]["count"], 3);
        assert_eq!(line["span"]["feed"], "audit_events");
        let trace = line["openTelemetry"]["traceId"].as_str().unwrap();
        assert!(trace.len() == 32 && trace.bytes().any(|byte| byte != b'0'), "{trace}");
    }
}
