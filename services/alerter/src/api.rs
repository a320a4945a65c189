//! The desk over gRPC: `latchkey.alerts.v1.Alerts`.
//!
//! Off unless an address is configured. Whoever reaches it can silence every alert, so an address that others than this machine reach wants
//! a token, and what goes over a network wants encryption of somebody else's, a proxy's or a mesh's: here there is none.

mod connections;
mod service;
mod token;

#[allow(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    reason = "generated: which of these apply differs by message"
)]
pub mod wire {
    //! The messages and the client, generated from `proto/latchkey/alerts/v1/alerts.proto`.
    tonic::include_proto!("latchkey.alerts.v1");
}

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use latchkey_bus::Bus;
use latchkey_runtime::Shutdown;
use tonic::transport::{Server, server::TcpIncoming};

use self::{service::Service, token::Token, wire::alerts_server::AlertsServer};
use crate::{desk::Desk, destination::SecretFile};

/// How long a call may take until its answer begins.
const CALL_WITHIN: Duration = Duration::from_mins(1);

/// Calls at once on one connection; on all of them together see [`service::CALLS`].
const CALLS: u32 = 8;

/// The largest message that is taken: a note and some names.
const MAX_REQUEST: usize = 64 << 10;

/// The largest message that is sent; lists come in parts of [`service::PART`].
const MAX_ANSWER: usize = 4 << 20;

/// The largest head of a call: a token of 8 KiB and what libraries add.
const MAX_HEAD: u32 = 16 << 10;

/// How often a caller is asked whether it is there, and how long it may take to answer.
const ASK_EVERY: Duration = Duration::from_secs(20);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long a connection lives, and how long the calls that are under way by then may go on: whoever does not read an answer holds it, and its
/// place, no longer. Clients connect again by themselves.
const LIVES_FOR: Duration = Duration::from_mins(10);
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// An address that is listened on.
pub(crate) struct Api {
    listener: TcpListener,
    token: Option<SecretFile>,
}

/// Why the interface cannot be served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unservable {
    #[error("the address {0} is reached from other machines: name a token_file")]
    Open(SocketAddr),
    #[error("the address {address} cannot be listened on: {reason}")]
    Address { address: SocketAddr, reason: std::io::Error },
}

impl Api {
    /// Listens; nobody is answered yet.
    pub(crate) fn open(address: SocketAddr, token: Option<SecretFile>) -> Result<Self, Unservable> {
        if !address.ip().is_loopback() && token.is_none() {
            return Err(Unservable::Open(address));
        }
        let listener = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        let listener = listener.map_err(|reason| Unservable::Address { address, reason })?;
        Ok(Self { listener, token })
    }

    /// Where it listens; of a configured port 0, the one that was free.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Answers until the soft shutdown.
    pub(crate) async fn run(self, bus: Bus, shutdown: &Shutdown) {
        let address = self.address();
        let incoming = match tokio::net::TcpListener::from_std(self.listener) {
            Ok(listener) => TcpIncoming::from(listener),
            Err(error) => {
                tracing::error!(%error, "alerts cannot be served");
                return;
            }
        };
        let service = AlertsServer::new(Service::new(Desk::new(bus)))
            .max_decoding_message_size(MAX_REQUEST)
            .max_encoding_message_size(MAX_ANSWER);
        let service = tonic::service::interceptor::InterceptedService::new(service, Token(self.token));
        let server = Server::builder()
            .timeout(CALL_WITHIN)
            .max_concurrent_streams(CALLS)
            .http2_max_header_list_size(MAX_HEAD)
            .http2_keepalive_interval(Some(ASK_EVERY))
            .http2_keepalive_timeout(Some(ANSWER_WITHIN))
            .max_connection_age(LIVES_FOR)
            .max_connection_age_grace(ENDS_WITHIN)
            .add_service(service)
            .serve_with_incoming_shutdown(connections::accepted(incoming), shutdown.soft().cancelled());
        tracing::info!(address = address.map(tracing::field::display), "alerts are served over gRPC");
        tokio::select! {
            () = shutdown.hard().cancelled() => {}
            served = server => if let Err(error) = served {
                tracing::error!(%error, "alerts are no longer served");
            },
        }
    }
}
