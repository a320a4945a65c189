//! The HTTP and HTTPS listeners.
//!
//! Both serve the same routes: the Events API, and under `/_simulator/` what tests and people want to know about it. A stop
//! lets requests under way finish for a moment and then closes the connections.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::{Router, response::Response};
use hyper::{Request, body::Incoming, service::Service};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::line::{Line, Socket};
use crate::world::World;

mod admin;
mod answer;
mod api;
mod body;
mod delivery;
mod line;
mod page;
mod query;

pub(crate) use self::answer::Served;

/// Connections open at once on one listener; further ones wait to be accepted.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long a client may take over its TLS handshake, or over a request's header.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long requests under way may go on after a stop.
const GRACE: Duration = Duration::from_secs(2);

/// Pause after a failed accept, which mostly means that the process has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All routes.
pub(crate) fn routes(world: &Arc<World>) -> Router {
    api::routes(world).merge(admin::routes(world))
}

/// Accepts connections until the stop, over TLS if there is an acceptor.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, routes: Router, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, tls.clone(), routes.clone(), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    let finished = async { while connections.join_next().await.is_some() {} };
    if time::timeout(GRACE, finished).await.is_err() {
        tracing::debug!("closing connections that did not finish");
    }
}

/// Serves one client. Its errors (resets, failed handshakes) are the client's business and only worth a debug line.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, routes: Router, stop: CancellationToken) {
    let outcome = async {
        stream.set_nodelay(true)?;
        let line = Line::default();
        let stream = Socket::new(stream, line.clone());
        let routes = Connected { routes: TowerToHyperService::new(routes), line };
        match tls {
            None => exchange(stream, routes, stop).await,
            Some(acceptor) => {
                let stream = time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream))
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                exchange(stream, routes, stop).await
            }
        }
    };
    if let Err(error) = outcome.await {
        tracing::debug!(error, "a connection ended early");
    }
}

/// The routes as one connection sees them: each request knows its connection.
struct Connected {
    routes: TowerToHyperService<Router>,
    line: Line,
}

impl Service<Request<Incoming>> for Connected {
    type Response = Response;
    type Error = std::convert::Infallible;
    type Future = <TowerToHyperService<Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.line.clone());
        self.routes.call(request)
    }
}

type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

async fn exchange<S>(stream: S, routes: Connected, stop: CancellationToken) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HANDSHAKE_TIMEOUT);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), routes));
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}
