//! Spans of a whole process arrive at a collector, although the process ends at once.

use crate::process::example;
use latchkey_runtime::telemetry::FLUSH_LIMIT;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::Value;
use std::process::Output;
use std::time::Instant;
use tokio::sync::mpsc;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// A collector that hands on what it gets.
struct Collector(mpsc::UnboundedSender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).map_err(|_| Status::unavailable("the test has ended"))?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn attribute(resource: &Resource, key: &str) -> Option<String> {
    let value = resource.attributes.iter().find(|attribute| attribute.key == key)?.value.clone()?.value?;
    if let any_value::Value::StringValue(text) = value { Some(text) } else { None }
}

/// The line logged inside the span.
fn inside(output: Output) -> Value {
    let log = String::from_utf8(output.stderr).unwrap();
    let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["fields"]["message"] == "inside").unwrap()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test]
async fn spans_arrive_after_the_last_flush_with_the_trace_id_of_the_log() {
    let (sender, mut exports) = mpsc::unbounded_channel();
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let endpoint = format!("http://{}", incoming.local_addr().unwrap());
    tokio::spawn(
        Server::builder().add_service(TraceServiceServer::new(Collector(sender))).serve_with_incoming(incoming),
    );

    let mut command = example();
    command.env("LATCHKEY_EXAMPLE__BEHAVIOUR", "trace").env("LATCHKEY_TELEMETRY__OTLP_ENDPOINT", endpoint);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));

    // The process has ended: whatever it sent is here already.
    let export = exports.try_recv().expect("spans arrive before the process ends");
    let of_process = &export.resource_spans[0];
    let resource = of_process.resource.as_ref().unwrap();
    assert_eq!(attribute(resource, "service.name").as_deref(), Some("latchkey-example"));
    assert_eq!(attribute(resource, "service.version").as_deref(), Some(env!("CARGO_PKG_VERSION")));
    let spans: Vec<_> = of_process.scope_spans.iter().flat_map(|scope| &scope.spans).collect();
    assert_eq!(spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>(), ["page"]);
    assert!(exports.try_recv().is_err(), "exporting makes no spans of its own");

    let inside = inside(output);
    assert_eq!(inside["openTelemetry"]["traceId"], hex(&spans[0].trace_id));
    let traceparent = format!("00-{}-{}-01", hex(&spans[0].trace_id), hex(&spans[0].span_id));
    assert_eq!(inside["fields"]["traceparent"], traceparent);
}

#[test]
fn trace_context_travels_without_a_collector() {
    let inside = inside(example().env("LATCHKEY_EXAMPLE__BEHAVIOUR", "trace").output().unwrap());
    let ids = &inside["openTelemetry"];
    let traceparent = format!("00-{}-{}-01", ids["traceId"].as_str().unwrap(), ids["spanId"].as_str().unwrap());
    assert_eq!(inside["fields"]["traceparent"], traceparent);
}

#[test]
fn a_collector_that_is_gone_or_mute_does_not_keep_the_process() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for collector in [gone, mute.local_addr().unwrap()] {
        let begun = Instant::now();
        let mut command = example();
        command
            .env("LATCHKEY_EXAMPLE__BEHAVIOUR", "trace")
            .env("LATCHKEY_TELEMETRY__OTLP_ENDPOINT", format!("http://{collector}"));
        assert_eq!(command.output().unwrap().status.code(), Some(0));
        // The second FLUSH_LIMIT is for a busy machine.
        assert!(begun.elapsed() < 2 * FLUSH_LIMIT, "{:?}", begun.elapsed());
    }
}
