//! One JSON body on its way into the journal, small or large.

use std::sync::Arc;

use bytes::Bytes;

use crate::ingest::{
    coding::Coding,
    gate::Gate,
    handover::Handover,
    large::Large,
    pending::Pending,
    reading::Reading,
    refusal::Refusal,
    sieve::{Sieve, Sink},
};
use crate::model::entry::Entry;

/// A body up to this size, decoded, stays where it arrives; it is what the journal keeps in a segment.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// One body on its way in. Dropped before [`Body::end`], it leaves nothing.
pub(crate) struct Body {
    gate: Arc<Gate>,
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
    bytes_max: u64,
    sink: InlineSink,
}

struct InlineSink {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    reading: Reading,
}

impl Body {
    /// A body of at most `bytes_max`, of which about `expected` are announced.
    pub(crate) fn new(
        gate: Arc<Gate>,
        reading: Reading,
        coding: Coding,
        bytes_max: u64,
        expected: Option<u64>,
    ) -> Self {
        let sieve = Sieve::new(coding, bytes_max);
        let mut sink = InlineSink { bytes: Vec::new(), entries: Vec::new(), reading };
        let expected = expected.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        sink.bytes.reserve(expected.min(INLINE_BYTES_MAX));
        Self { gate, state: State::Small(Box::new(Small { sieve, bytes_max, sink })) }
    }

    /// Takes the next bytes as they were sent. After an error nothing further is taken.
    pub(crate) async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        let pushed = match &mut self.state {
            State::Small(small) => {
                let rest = small.push(&chunk, chunk.len());
                match rest {
                    Ok(None) => Ok(()),
                    Ok(Some(used)) => self.grow(chunk.slice(used..)).await,
                    Err(refusal) => Err(refusal),
                }
            }
            State::Large(handover) => handover.push(chunk).await,
            State::Over => Err(Refusal::StoreFailed),
        };
        if pushed.is_err() {
            self.state = State::Over;
        }
        pushed
    }

    /// The body is whole, its length checked: returns once it is proved to be what it should be.
    pub(crate) async fn end(self) -> Result<Pending, Refusal> {
        match self.state {
            State::Small(small) => {
                let Small { sieve, sink, .. } = *small;
                sieve.finish()?;
                Ok(Pending::small(self.gate, sink.bytes, sink.entries, sink.reading))
            }
            State::Large(handover) => handover.end().await.map(Pending::large),
            State::Over => Err(Refusal::StoreFailed),
        }
    }

    /// The body is larger than what stays here: moves it, and what is left of the chunk, to a blocking thread.
    async fn grow(&mut self, rest: Bytes) -> Result<(), Refusal> {
        let State::Small(small) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Refusal::StoreFailed);
        };
        let Small { sieve, bytes_max, sink } = *small;
        let InlineSink { bytes, entries, reading } = sink;
        let slot = self.gate.slots.take().await?;
        let (gate, sent) = (Arc::clone(&self.gate), sieve.sent());
        let begin = move || Large::begin(gate, sieve, reading, slot, &bytes, &entries);
        let mut handover = Handover::start(sent, bytes_max, begin);
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
        self.entries.push(self.reading.entry(entry)?);
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.bytes.len() > INLINE_BYTES_MAX
    }
}
