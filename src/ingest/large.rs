//! The blocking side of a large JSON body: decodes, splits and spools what the network side sends over.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::ingest::{
    gate::Gate,
    handover::Work,
    pending::Taken,
    reading::Reading,
    refusal::Refusal,
    sieve::{Sieve, Sink},
};
use crate::journal::Spool;
use crate::model::entry::Entry;

/// A large body.
pub(crate) struct Large {
    gate: Arc<Gate>,
    sieve: Option<Sieve>,
    sink: SpoolSink,
    /// Held while the body is under way.
    slot: OwnedSemaphorePermit,
}

struct SpoolSink {
    spool: Spool,
    reading: Reading,
}

impl Large {
    /// Spools what was found of the body before it was known to be large. Blocks.
    pub(crate) fn begin(
        gate: Arc<Gate>,
        sieve: Sieve,
        reading: Reading,
        slot: OwnedSemaphorePermit,
        head: &[u8],
        entries: &[Entry],
    ) -> Result<Self, Refusal> {
        let mut spool = gate.journal.spool()?;
        spool.write(head)?;
        for entry in entries {
            spool.entry(entry)?;
        }
        Ok(Self { gate, sieve: Some(sieve), sink: SpoolSink { spool, reading }, slot })
    }
}

impl Work for Large {
    fn bytes(&mut self, mut sent: &[u8]) -> Result<(), Refusal> {
        let sieve = self.sieve.as_mut().expect("nothing comes after the end");
        // A spool is never full, so that all is used up.
        sieve.push(&mut sent, &mut self.sink).map(|_| ())
    }

    fn check(&mut self) -> Result<(), Refusal> {
        self.sieve.take().map_or(Ok(()), Sieve::finish)
    }

    fn commit(self) -> Result<Taken, Refusal> {
        let Self { gate, sink: SpoolSink { spool, reading }, slot, .. } = self;
        let received = gate.clock.now();
        let position = spool.commit(reading.header(received))?;
        drop(slot);
        reading.settle(&gate.metrics, position, received)
    }
}

impl Sink for SpoolSink {
    fn bytes(&mut self, decoded: &[u8]) -> Result<(), Refusal> {
        Ok(self.spool.write(decoded)?)
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Refusal> {
        let entry = self.reading.entry(entry)?;
        Ok(self.spool.entry(&entry)?)
    }

    fn is_full(&self) -> bool {
        false
    }
}
