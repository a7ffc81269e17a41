//! From the network to a blocking thread: a body's pieces through a short queue, and what became of it back.

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, spawn_blocking},
};

use crate::ingest::{pending::Taken, refusal::Refusal};

/// The most bytes of one body that wait between network and disk, in bytes: filled batches, and the one that fills.
pub const IN_FLIGHT_BYTES: usize = BATCH_BYTES * (BATCHES_MAX + 2);
const BATCH_BYTES: usize = 128 * 1024;
const BATCH_PIECES: usize = 64;
const BATCHES_MAX: usize = 4;

/// What a blocking thread does with a body. Dropped uncommitted, it leaves nothing.
pub(crate) trait Work: Send + 'static {
    /// The next bytes as they were sent.
    fn bytes(&mut self, sent: &[u8]) -> Result<(), Refusal>;
    /// The body is whole: an error where it is not what it should be.
    fn check(&mut self) -> Result<(), Refusal>;
    /// Makes the body durable.
    fn commit(self) -> Result<Taken, Refusal>;
}

/// What a body's thread comes to; `None` where the body's end was never announced.
pub(crate) type Outcome = Result<Option<Taken>, Refusal>;

/// What the network side sends over.
enum Piece {
    /// Bytes as they were sent.
    Bytes(Vec<Bytes>),
    /// The body is whole; to be answered once it is checked.
    End(oneshot::Sender<()>),
}

/// The network side of a body that a blocking thread works on.
pub(crate) struct Handover {
    pieces: mpsc::Sender<Piece>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    sent: u64,
    bytes_max: u64,
    outcome: JoinHandle<Outcome>,
}

impl Handover {
    /// Begins the work on a thread of its own. `sent` bytes of at most `bytes_max` came already.
    pub(crate) fn start<W: Work>(
        sent: u64,
        bytes_max: u64,
        begin: impl FnOnce() -> Result<W, Refusal> + Send + 'static,
    ) -> Self {
        let (pieces, received) = mpsc::channel(BATCHES_MAX);
        let outcome = spawn_blocking(move || run(begin()?, received));
        Self { pieces, batch: Vec::new(), batch_bytes: 0, sent, bytes_max, outcome }
    }

    /// Takes the next bytes.
    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        self.sent = self.sent.saturating_add(chunk.len() as u64);
        if self.sent > self.bytes_max {
            return Err(Refusal::TooLarge);
        }
        self.add(chunk).await
    }

    /// Takes bytes that are counted already.
    pub(crate) async fn add(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        if self.batch_bytes < BATCH_BYTES && self.batch.len() < BATCH_PIECES {
            return Ok(());
        }
        self.flush().await
    }

    /// The body is whole: returns once it is checked, while the thread makes it durable.
    pub(crate) async fn end(mut self) -> Result<JoinHandle<Outcome>, Refusal> {
        self.flush().await?;
        let (checked, is_checked) = oneshot::channel();
        if self.pieces.send(Piece::End(checked)).await.is_err() || is_checked.await.is_err() {
            return Err(refusal_of(self.outcome.await));
        }
        Ok(self.outcome)
    }

    async fn flush(&mut self) -> Result<(), Refusal> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        match self.pieces.send(Piece::Bytes(batch)).await {
            Ok(()) => Ok(()),
            // The blocking side has ended, so it refused.
            Err(_) => Err(refusal_of((&mut self.outcome).await)),
        }
    }
}

/// What was taken, once the thread has ended.
pub(crate) async fn taken(outcome: JoinHandle<Outcome>) -> Result<Taken, Refusal> {
    match outcome.await {
        Ok(Ok(Some(taken))) => Ok(taken),
        other => Err(refusal_of(other)),
    }
}

fn run<W: Work>(mut work: W, mut pieces: mpsc::Receiver<Piece>) -> Outcome {
    loop {
        match pieces.blocking_recv() {
            None => return Ok(None),
            Some(Piece::Bytes(batch)) => {
                for chunk in batch {
                    work.bytes(&chunk)?;
                }
            }
            Some(Piece::End(checked)) => {
                work.check()?;
                // Whoever waits no longer is told by the outcome.
                let _is_awaited = checked.send(()).is_ok();
                return work.commit().map(Some);
            }
        }
    }
}

fn refusal_of(outcome: Result<Outcome, tokio::task::JoinError>) -> Refusal {
    match outcome {
        Ok(Err(refusal)) => refusal,
        // A thread that panicked has committed nothing, and the store is none the worse: the sender tries again.
        Ok(Ok(_)) | Err(_) => {
            tracing::error!("taking a large body failed unexpectedly; nothing of it was stored");
            Refusal::Busy
        }
    }
}
