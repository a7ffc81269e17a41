//! A connection's bytes on their way into hyper: framing is watched, and a close in the middle of a body lingers.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use crate::http::framing::Framing;

/// The most bytes that are thrown away after an early answer.
const LINGER_BYTES_MAX: usize = 4 << 20;

/// An HTTP/1.1 connection.
pub(crate) struct Wire<IO> {
    io: IO,
    framing: Framing,
    linger: Duration,
    closing: Closing,
}

enum Closing {
    Open,
    Lingering { until: Pin<Box<Sleep>>, left: usize },
    Closed,
}

impl<IO> Wire<IO> {
    pub(crate) fn new(io: IO, linger: Duration) -> Self {
        Self { io, framing: Framing::new(), linger, closing: Closing::Open }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Wire<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        self.framing.scan(&mut buf.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self;
        if matches!(wire.closing, Closing::Open) {
            ready!(Pin::new(&mut wire.io).poll_shutdown(cx))?;
            wire.closing = if wire.framing.is_between() {
                Closing::Closed
            } else {
                Closing::Lingering { until: Box::pin(sleep(wire.linger)), left: LINGER_BYTES_MAX }
            };
        }
        if let Closing::Lingering { until, left } = &mut wire.closing {
            let mut thrown = [0; 8192];
            while *left > 0 && until.as_mut().poll(cx).is_pending() {
                let mut buf = ReadBuf::new(&mut thrown);
                match ready!(Pin::new(&mut wire.io).poll_read(cx, &mut buf)) {
                    Ok(()) if !buf.filled().is_empty() => *left = left.saturating_sub(buf.filled().len()),
                    // The sender has closed, which is what was waited for.
                    Ok(()) | Err(_) => break,
                }
            }
        }
        wire.closing = Closing::Closed;
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }
}
