//! The body of a callback's answer, and the note of how much of it went out.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Sleep, sleep};

use crate::simulate::callbacks::Log;

const PIECE: usize = 64 << 10;
/// A slow answer comes in this many pieces at most.
const SLOW_PIECES: usize = 8;

/// A body on its way; notes what was handed over when it is dropped.
pub(super) struct Sending {
    log: Arc<Log>,
    number: usize,
    rest: Bytes,
    piece: usize,
    sent: u64,
    end: End,
    pause: Option<Duration>,
    resting: Option<Pin<Box<Sleep>>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// What was offered has come.
    Whole,
    /// The answer ends, but it is not what was offered.
    Partial,
    /// The connection breaks off.
    Broken,
}

impl Sending {
    /// What was offered, all at once or with rests.
    pub(super) fn whole(log: &Arc<Log>, number: usize, body: Bytes, pause: Option<Duration>) -> Self {
        let slow_piece = body.len().div_ceil(SLOW_PIECES).max(1);
        let mut whole = Self::new(log, number, body, End::Whole);
        if pause.is_some() {
            (whole.piece, whole.pause) = (slow_piece, pause);
        }
        whole
    }

    /// Something else, in good form.
    pub(super) fn partial(log: &Arc<Log>, number: usize, body: Bytes) -> Self {
        Self::new(log, number, body, End::Partial)
    }

    /// These bytes, and then the connection breaks off.
    pub(super) fn broken(log: &Arc<Log>, number: usize, body: Bytes) -> Self {
        Self::new(log, number, body, End::Broken)
    }

    fn new(log: &Arc<Log>, number: usize, rest: Bytes, end: End) -> Self {
        Self { log: Arc::clone(log), number, rest, piece: PIECE, sent: 0, end, pause: None, resting: None }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(resting) = &mut self.resting {
            ready!(resting.as_mut().poll(cx));
            self.resting = None;
        }
        if self.rest.is_empty() {
            let broken = || Err(io::Error::from(io::ErrorKind::ConnectionAborted));
            return Poll::Ready((self.end == End::Broken).then(broken));
        }
        let length = self.piece.min(self.rest.len());
        let piece = self.rest.split_to(length);
        self.sent += length as u64;
        self.resting = self.pause.map(|pause| Box::pin(sleep(pause)));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.log.end(self.number, self.sent, self.end == End::Whole && self.rest.is_empty());
    }
}
