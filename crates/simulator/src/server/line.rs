//! A client's TCP connection, which a fault can reset.
//!
//! HTTP has no way to say "reset this connection", so the handler of a request tells the socket below it: to refuse all
//! writing, which resets at once, or to reset when it closes. A reset is a close without lingering: the peer gets RST.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What a handler may do to the connection of its request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<AtomicU8>);

const WHOLE: u8 = 0;
const RESET_AT_CLOSE: u8 = 1;
const REFUSE: u8 = 2;

impl Line {
    /// No further byte leaves; the attempt to write one resets the connection.
    pub(crate) fn reset_now(&self) {
        self.0.store(REFUSE, Ordering::Relaxed);
    }

    /// When the connection ends, it ends with a reset.
    pub(crate) fn reset_at_close(&self) {
        self.0.store(RESET_AT_CLOSE, Ordering::Relaxed);
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The socket of a line.
pub(crate) struct Socket {
    stream: TcpStream,
    line: Line,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, line: Line) -> Self {
        Self { stream, line }
    }

    fn check(&self) -> io::Result<()> {
        if self.line.state() == REFUSE { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.line.state() != WHOLE {
            // Without it the connection closes in the ordinary way, which is an interruption as well.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A shutdown would say FIN before the reset says RST.
        if self.line.state() != WHOLE {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
