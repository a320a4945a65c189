//! A collector of traces that keeps what it gets.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value,
    resource::v1::Resource,
};
use tokio::task::JoinHandle;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// A span, as far as tests ask about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The `service.name` of the process it comes from.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The trace it belongs to.
    pub trace: Vec<u8>,
}

/// A running collector; it ends when dropped.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    kept: Kept,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    /// Listens on a free port.
    pub fn start() -> Result<Self> {
        let incoming = TcpIncoming::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let endpoint = format!("http://{}", incoming.local_addr()?);
        let kept = Kept::default();
        let service = TraceServiceServer::new(kept.clone());
        let serving = tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
        Ok(Self { endpoint, kept, serving })
    }

    /// Where to export to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        self.endpoint.clone()
    }

    /// The spans so far.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let exports = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spans = Vec::new();
        for of_process in exports.iter().flat_map(|export| &export.resource_spans) {
            let service = of_process.resource.as_ref().and_then(name).unwrap_or_default();
            for span in of_process.scope_spans.iter().flat_map(|scope| &scope.spans) {
                spans.push(Span { service: service.clone(), name: span.name.clone(), trace: span.trace_id.clone() });
            }
        }
        spans
    }

    /// Everything that was exported, as text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{:?}", self.kept.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn name(resource: &Resource) -> Option<String> {
    let value = resource.attributes.iter().find(|attribute| attribute.key == "service.name")?.value.clone()?.value?;
    if let any_value::Value::StringValue(text) = value { Some(text) } else { None }
}
