//! Traces: ids and W3C context always, OTLP export when an endpoint is configured.
//!
//! The exporter itself speaks gRPC through instrumented libraries; their spans are kept out of the export, else every
//! export would be the cause of the next one.

use super::Error;
use crate::Service;
use crate::config::TelemetryConfig;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use std::time::Duration;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// How long a process waits for its last spans to leave.
pub const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Spans that may wait for export; more are dropped, and counted by the library.
pub const MAX_QUEUED_SPANS: usize = 8_192;

/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Libraries under the exporter, and under whatever calls the outside.
const SILENT_TARGETS: [&str; 6] = ["h2", "hyper", "hyper_util", "reqwest", "tonic", "tower"];

pub(super) fn provider(config: &TelemetryConfig, service: &Service) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder()
        .with_service_name(service.full_name())
        .with_attribute(opentelemetry::KeyValue::new("service.version", service.version))
        .build();
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sampling_ratio)));
    let mut builder = SdkTracerProvider::builder().with_resource(resource).with_sampler(sampler);
    if let Some(endpoint) = &config.otlp_endpoint {
        let exporter =
            SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(EXPORT_TIMEOUT).build()?;
        let batches = BatchConfigBuilder::default().with_max_queue_size(MAX_QUEUED_SPANS).build();
        builder = builder.with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build());
    }
    Ok(builder.build())
}

/// The layer that makes OpenTelemetry spans of `tracing` spans at INFO and above, whatever the log level is.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let targets = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_targets(SILENT_TARGETS.map(|target| (target, LevelFilter::OFF)));
    tracing_opentelemetry::layer().with_tracer(provider.tracer("latchkey")).with_filter(targets).boxed()
}

/// Makes `opentelemetry::global` answer with this provider and with W3C trace context.
pub(super) fn make_global(provider: &SdkTracerProvider) {
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    opentelemetry::global::set_tracer_provider(provider.clone());
}
