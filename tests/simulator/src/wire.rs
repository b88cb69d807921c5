//! Connections that can be broken on purpose: before an answer, or in the middle of one.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// A handle to the connection that a request came on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Arc<Mutex<Break>>);

#[derive(Clone, Copy, Debug, Default)]
enum Break {
    #[default]
    None,
    Reset,
    /// Let the head and this many bytes of the body through.
    InBody(usize),
    /// Let this many more bytes through.
    After(usize),
}

impl Wire {
    /// The next answer on this connection is a TCP reset.
    pub(crate) fn reset(&self) {
        self.set(Break::Reset);
    }

    /// The next answer on this connection ends after `bytes` of its body.
    pub(crate) fn cut_body(&self, bytes: usize) {
        self.set(Break::InBody(bytes));
    }

    fn set(&self, state: Break) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// How many bytes of `buf` may pass; `None`: all of it. 0 breaks the connection.
    fn allowance(&self, buf: &[u8]) -> Option<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Break::InBody(bytes) = *state {
            let head = buf.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
            *state = Break::After(head + bytes);
        }
        match *state {
            Break::None => None,
            Break::Reset | Break::InBody(_) => Some(0),
            Break::After(left) => Some(left.min(buf.len())),
        }
    }

    fn passed(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Break::After(left) = &mut *state {
            *left = left.saturating_sub(bytes);
        }
    }

    fn is_reset(&self) -> bool {
        matches!(*self.0.lock().unwrap_or_else(PoisonError::into_inner), Break::Reset)
    }
}

/// Accepts connections that can be broken.
#[derive(Debug)]
pub(crate) struct Breakable(pub(crate) TcpListener);

impl Listener for Breakable {
    type Io = BreakableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers on kept-alive connections would wait for delayed acknowledgements;
        // a connection where this fails is only slower.
        let _ = stream.set_nodelay(true);
        (BreakableStream { stream, wire: Wire::default() }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Breakable>> for Wire {
    fn connect_info(stream: IncomingStream<'_, Breakable>) -> Self {
        stream.io().wire.clone()
    }
}

/// A TCP stream with a [`Wire`].
#[derive(Debug)]
pub(crate) struct BreakableStream {
    stream: TcpStream,
    wire: Wire,
}

impl AsyncRead for BreakableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for BreakableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let allowed = self.wire.allowance(buf).unwrap_or(buf.len());
        if allowed == 0 && !buf.is_empty() {
            if self.wire.is_reset() {
                // Without lingering the close below is a reset and not an orderly end.
                let _ = self.stream.set_zero_linger();
            }
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, &buf[..allowed]);
        if let Poll::Ready(Ok(bytes)) = &written {
            self.wire.passed(*bytes);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
