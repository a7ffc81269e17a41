//! One body on its way in.

use std::sync::Arc;

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::ingest::{
    coding::Coding,
    controls::Found,
    door::Door,
    refusal::Refusal,
    sieve::{Sieve, Sink},
    spool::{Large, Piece},
    tally::Tally,
};
use crate::journal::Header;
use crate::model::{connection::ClientId, entry::Entry};

/// A body up to this size, decoded, stays where it arrives; it is what the journal keeps in a segment.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of one body that wait between network and disk, in bytes: filled batches, and the one that fills.
pub const IN_FLIGHT_BYTES: usize = BATCH_BYTES * (BATCHES_MAX + 2);
const BATCH_BYTES: usize = 128 * 1024;
const BATCH_PIECES: usize = 64;
const BATCHES_MAX: usize = 4;

/// The body is durable, and its control items hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted;

/// One body on its way in. Dropped before [`Intake::finish`], it leaves nothing.
pub struct Intake {
    door: Arc<Door>,
    client: ClientId,
    state: State,
}

enum State {
    Small(Box<Small>),
    Large(Handover),
    /// It was refused.
    Over,
}

struct Small {
    sieve: Sieve,
    sink: InlineSink,
}

#[derive(Default)]
struct InlineSink {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    controls: Found,
    tally: Tally,
}

struct Handover {
    pieces: mpsc::Sender<Piece>,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    sent: u64,
    outcome: JoinHandle<Result<Option<Accepted>, Refusal>>,
}

impl Intake {
    pub(crate) fn new(door: Arc<Door>, client: ClientId, coding: Coding, length_hint: Option<u64>) -> Self {
        let sieve = Sieve::new(coding, door.settings.body_bytes_max);
        let mut sink = InlineSink::default();
        let expected = length_hint.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        sink.bytes.reserve(expected.min(INLINE_BYTES_MAX));
        Self { door, client, state: State::Small(Box::new(Small { sieve, sink })) }
    }

    /// Takes the next bytes as they were sent. After an error nothing further is taken.
    pub async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let pushed = match &mut self.state {
            State::Small(small) => {
                let rest = small.push(&chunk, chunk.len());
                match rest {
                    Ok(None) => Ok(()),
                    Ok(Some(used)) => self.grow(chunk.slice(used..)).await,
                    Err(refusal) => Err(refusal),
                }
            }
            State::Large(handover) => handover.push(chunk, self.door.settings.body_bytes_max).await,
            State::Over => Err(Refusal::StoreFailed),
        };
        if pushed.is_err() {
            self.state = State::Over;
        }
        pushed
    }

    /// The body is whole, its length checked: returns when it is durable and its control items hold.
    pub async fn finish(self) -> Result<Accepted, Refusal> {
        let Self { door, client, state } = self;
        match state {
            State::Small(small) => {
                let Small { sieve, sink } = *small;
                sieve.finish()?;
                commit_small(&door, client, sink).await
            }
            State::Large(handover) => handover.finish().await,
            State::Over => Err(Refusal::StoreFailed),
        }
    }

    /// The body is larger than what stays here: moves it, and what is left of the chunk, to a blocking thread.
    async fn grow(&mut self, rest: Bytes) -> Result<(), Refusal> {
        let State::Small(small) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Refusal::StoreFailed);
        };
        let Small { sieve, sink } = *small;
        let slot = Arc::clone(&self.door.large).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let (pieces, received) = mpsc::channel(BATCHES_MAX);
        let sent = sieve.sent();
        let large = Large {
            door: Arc::clone(&self.door),
            client: self.client.clone(),
            sieve,
            head: sink.bytes,
            entries: sink.entries,
            controls: sink.controls,
            tally: sink.tally,
            slot,
        };
        let outcome = spawn_blocking(move || large.run(received));
        let mut handover = Handover { pieces, batch: Vec::new(), batch_bytes: 0, sent, outcome };
        let moved = handover.add(rest).await;
        self.state = State::Large(handover);
        moved
    }
}

impl Small {
    /// `Some` of how much of the chunk was used, where the body must move before the rest of it.
    fn push(&mut self, chunk: &[u8], arrived: usize) -> Result<Option<usize>, Refusal> {
        self.sieve.arrive(arrived)?;
        if !self.sieve.expands() && self.sink.bytes.len() + chunk.len() > INLINE_BYTES_MAX {
            return Ok(Some(0));
        }
        let mut input = chunk;
        let more = self.sieve.push(&mut input, &mut self.sink)?;
        Ok((more || self.sink.is_full()).then(|| chunk.len() - input.len()))
    }
}

impl Sink for InlineSink {
    fn bytes(&mut self, decoded: &[u8]) -> Result<(), Refusal> {
        self.bytes.extend_from_slice(decoded);
        Ok(())
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Refusal> {
        self.controls.note(&entry)?;
        self.tally.note(&entry);
        self.entries.push(entry);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes.len() > INLINE_BYTES_MAX
    }
}

async fn commit_small(door: &Arc<Door>, client: ClientId, sink: InlineSink) -> Result<Accepted, Refusal> {
    let InlineSink { bytes, entries, controls, tally } = sink;
    let received = door.clock.now();
    let header = Header { received, client: client.clone(), pull: None };
    door.journal.commit(header, bytes, entries).await?;
    let controls = controls.into_items();
    if !controls.is_empty() {
        let door = Arc::clone(door);
        let applied = spawn_blocking(move || door.controls.apply(&client, received, &controls)).await;
        if !matches!(applied, Ok(Ok(()))) {
            return Err(Refusal::StoreFailed);
        }
    }
    tally.publish(&door.metrics, received);
    Ok(Accepted)
}

impl Handover {
    async fn push(&mut self, chunk: Bytes, bytes_max: u64) -> Result<(), Refusal> {
        self.sent = self.sent.saturating_add(chunk.len() as u64);
        if self.sent > bytes_max {
            return Err(Refusal::TooLarge);
        }
        self.add(chunk).await
    }

    async fn add(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        self.batch_bytes += chunk.len();
        self.batch.push(chunk);
        if self.batch_bytes < BATCH_BYTES && self.batch.len() < BATCH_PIECES {
            return Ok(());
        }
        self.flush().await
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

    async fn finish(mut self) -> Result<Accepted, Refusal> {
        self.flush().await?;
        if self.pieces.send(Piece::End).await.is_err() {
            return Err(refusal_of(self.outcome.await));
        }
        match self.outcome.await {
            Ok(Ok(Some(accepted))) => Ok(accepted),
            other => Err(refusal_of(other)),
        }
    }
}

fn refusal_of(outcome: Result<Result<Option<Accepted>, Refusal>, tokio::task::JoinError>) -> Refusal {
    match outcome {
        Ok(Err(refusal)) => refusal,
        // A thread that panicked has committed nothing, and the store is none the worse: the sender tries again.
        Ok(Ok(_)) | Err(_) => {
            tracing::error!("taking a large body failed unexpectedly; nothing of it was stored");
            Refusal::Busy
        }
    }
}
