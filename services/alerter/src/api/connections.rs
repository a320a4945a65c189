//! Connections: as many as there are places, and none that is mute.
//!
//! Whoever connects takes a place until the connection ends, whether or not it is somebody who may call. So one that says nothing is closed;
//! one that lives answers pings, which come more often.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt as _, future::ready};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};
use tonic::transport::server::{Connected, TcpIncoming};

/// The most connections at once: programs that look after alerts are few, and each needs one.
pub(super) const CONNECTIONS: usize = 64;

/// How long nothing may come.
const MUTE_FOR: Duration = Duration::from_mins(1);

/// A connection with its place.
pub(super) struct Connection<Io = TcpStream> {
    io: Io,
    ends: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

/// Connections as they come; those for which there is no place are closed at once.
pub(super) fn accepted(incoming: TcpIncoming) -> impl Stream<Item = io::Result<Connection>> {
    let (places, mut was_full) = (Arc::new(Semaphore::new(CONNECTIONS)), false);
    incoming.filter_map(move |accepted| {
        let place = Arc::clone(&places).try_acquire_owned().ok();
        let is_full = place.is_none();
        // Once, and not for each.
        if is_full && !was_full {
            tracing::warn!("more than {CONNECTIONS} connections for alerts: further ones are closed");
        }
        was_full = is_full;
        ready(match (accepted, place) {
            (Ok(io), Some(place)) => Some(Ok(Connection::new(io, place))),
            (Ok(_), None) => None,
            (Err(error), _) => Some(Err(error)),
        })
    })
}

impl<Io> Connection<Io> {
    fn new(io: Io, place: OwnedSemaphorePermit) -> Self {
        Self { io, ends: Box::pin(sleep(MUTE_FOR)), _place: place }
    }
}

impl<Io: AsyncRead + Unpin> AsyncRead for Connection<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(context, buffer);
        if read.is_ready() {
            self.ends.as_mut().reset(Instant::now() + MUTE_FOR);
            return read;
        }
        match self.ends.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<Io: AsyncWrite + Unpin> AsyncWrite for Connection<Io> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

impl<Io> Connected for Connection<Io> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_is_mute_ends_and_gives_its_place_back() {
        let places = Arc::new(Semaphore::new(1));
        let (mut caller, io) = duplex(64);
        let mut connection = Connection::new(io, Arc::clone(&places).try_acquire_owned().unwrap());
        let begun = Instant::now();
        for _ in 0..3 {
            tokio::time::advance(MUTE_FOR / 2).await;
            caller.write_all(b"x").await.unwrap();
            assert_eq!(connection.read_u8().await.unwrap(), b'x');
        }
        assert_eq!(connection.read_u8().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let lived = Instant::now() - begun;
        assert!(lived >= MUTE_FOR * 5 / 2 && lived < MUTE_FOR * 3, "{lived:?}");
        assert!(places.try_acquire().is_err());
        drop(connection);
        assert!(places.try_acquire().is_ok());
    }
}
