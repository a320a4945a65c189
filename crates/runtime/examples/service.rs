//! A service at its smallest, and the process that the crate's tests start, signal and kill.
//!
//! Its one key chooses how it lives and ends; real services choose nothing of the sort.

use anyhow::Context as _;
use latchkey_runtime::{Config, Context, Failure, Service};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::process::ExitCode;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The section `example`.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    behaviour: Behaviour,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Behaviour {
    /// Serve until asked to stop.
    #[default]
    Serve,
    /// One span, then the end.
    Trace,
    /// A task that returns an error.
    Fail,
    /// A task that panics.
    Panic,
    /// A need that is not met at start.
    Need,
    /// Hold work through the soft shutdown, let go at the hard one.
    Hold,
    /// Heed no token.
    Stubborn,
}

fn main() -> ExitCode {
    let service = Service { name: "example", version: env!("CARGO_PKG_VERSION"), about: "Shows how a service lives." };
    latchkey_runtime::start(service, |config: Config<Settings>, context| serve(config.service.behaviour, context))
}

async fn serve(behaviour: Behaviour, context: Context) -> anyhow::Result<()> {
    context.health.component("example").ready();
    match behaviour {
        Behaviour::Serve => context.shutdown.soft().cancelled().await,
        Behaviour::Trace => {
            async { tracing::info!(traceparent = traceparent(), "inside") }
                .instrument(tracing::info_span!("page", feed = "audit_events"))
                .await;
        }
        Behaviour::Fail => {
            context.spawn("poller", async { Err::<(), _>(std::io::Error::other("disk is full")) });
            context.shutdown.soft().cancelled().await;
        }
        Behaviour::Panic => {
            context.spawn("poller", async {
                assert!(std::hint::black_box(false), "an invariant is broken");
                anyhow::Ok(())
            });
            context.shutdown.soft().cancelled().await;
        }
        Behaviour::Need => Err(Failure::unavailable("nats", "connection refused")).context("connecting")?,
        Behaviour::Hold => context.shutdown.hard().cancelled().await,
        Behaviour::Stubborn => std::future::pending().await,
    }
    Ok(())
}

/// The header a message published here would carry.
fn traceparent() -> Option<String> {
    let mut headers = HashMap::new();
    let context = tracing::Span::current().context();
    opentelemetry::global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut headers));
    headers.remove("traceparent")
}
