//! Log lines on standard error: pretty for people, JSON for machines.
//!
//! Standard output stays free for what a command produces. A filter is checked more strictly than the library does, which
//! reads a misspelt level as the name of a module and falls silent.

use crate::config::{LogFormat, TelemetryConfig};
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, filter};

/// A log filter that is none. Permanent.
#[derive(Debug, thiserror::Error)]
pub enum LogFilterError {
    /// A word alone must be a level.
    #[error("{0:?} is no level (error, warn, info, debug, trace, off), and a module's filter is written module=level")]
    Level(String),
    /// Not the grammar of filters.
    #[error("{0}")]
    Syntax(#[from] filter::ParseError),
}

/// The layer that writes lines of the configured format and level.
pub(super) fn layer<S, W>(
    config: &TelemetryConfig,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>, LogFilterError>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = parse_filter(&config.log_level)?;
    let terminal = std::io::stderr().is_terminal();
    Ok(match config.log_format.unwrap_or(if terminal { LogFormat::Pretty } else { LogFormat::Json }) {
        LogFormat::Pretty => {
            tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(terminal).with_filter(filter).boxed()
        }
        LogFormat::Json => json_subscriber::layer()
            .with_writer(writer)
            .with_span_list(false)
            .with_opentelemetry_ids(true)
            .with_filter(filter)
            .boxed(),
    })
}

/// Reads `info` or `info,latchkey_bus=debug`.
pub(crate) fn parse_filter(text: &str) -> Result<EnvFilter, LogFilterError> {
    let directives: Vec<&str> = text.split(',').map(str::trim).collect();
    for directive in &directives {
        let module = directive.contains(['=', '[']) || directive.contains("::");
        // The library takes nothing at all for a level.
        let level = !directive.is_empty() && directive.parse::<LevelFilter>().is_ok();
        if !module && !level {
            return Err(LogFilterError::Level((*directive).to_owned()));
        }
    }
    // The bus logs what matters of its client's news in the system's own words; whoever wants more names the client.
    Ok(EnvFilter::try_new(format!("async_nats=warn,{}", directives.join(",")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_levels_and_modules() {
        #[track_caller]
        fn check(text: &str, good: bool) {
            assert_eq!(parse_filter(text).is_ok(), good, "{text}");
        }
        check("info", true);
        check("off", true);
        check("info,latchkey_bus=debug", true);
        check("warn, latchkey_bus::pages=trace", true);
        check("inof", false);
        check("info,latchkey_bus", false);
        check("info,latchkey_bus=loud", false);
        check("", false);
    }
}
