//! The blocking side of a large body: decodes, splits and spools what the network side sends over.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::ingest::{
    controls::Found,
    door::Door,
    intake::Accepted,
    refusal::Refusal,
    sieve::{Sieve, Sink},
    tally::Tally,
};
use crate::journal::{Header, Spool};
use crate::model::{connection::ClientId, entry::Entry};

/// What the network side sends over.
pub(crate) enum Piece {
    /// Bytes as they were sent.
    Bytes(Vec<Bytes>),
    /// The body is whole.
    End,
}

/// A large body with all that was found of it before it was known to be large.
pub(crate) struct Large {
    pub door: Arc<Door>,
    pub client: ClientId,
    pub sieve: Sieve,
    pub head: Vec<u8>,
    pub entries: Vec<Entry>,
    pub controls: Found,
    pub tally: Tally,
    /// Held while the body is under way.
    pub slot: OwnedSemaphorePermit,
}

impl Large {
    /// Takes pieces until the end is announced; `None` where it never is, and nothing is stored. Blocks.
    pub(crate) fn run(self, mut pieces: mpsc::Receiver<Piece>) -> Result<Option<Accepted>, Refusal> {
        let Self { door, client, mut sieve, head, entries, controls, tally, slot } = self;
        let mut sink = SpoolSink { spool: door.journal.spool()?, controls, tally };
        sink.spool.write(&head)?;
        drop(head);
        for entry in &entries {
            sink.spool.entry(entry)?;
        }
        drop(entries);
        loop {
            match pieces.blocking_recv() {
                None => return Ok(None),
                Some(Piece::End) => break,
                Some(Piece::Bytes(batch)) => {
                    for chunk in batch {
                        sieve.push(&mut &*chunk, &mut sink)?;
                    }
                }
            }
        }
        sieve.finish()?;
        let received = door.clock.now();
        sink.spool.commit(Header { received, client: client.clone(), pull: None })?;
        drop(slot);
        let controls = sink.controls.into_items();
        if !controls.is_empty() {
            door.controls.apply(&client, received, &controls).map_err(|_| Refusal::StoreFailed)?;
        }
        sink.tally.publish(&door.metrics, received);
        Ok(Some(Accepted))
    }
}

struct SpoolSink {
    spool: Spool,
    controls: Found,
    tally: Tally,
}

impl Sink for SpoolSink {
    fn bytes(&mut self, decoded: &[u8]) -> Result<(), Refusal> {
        Ok(self.spool.write(decoded)?)
    }

    fn entry(&mut self, entry: Entry) -> Result<(), Refusal> {
        self.controls.note(&entry)?;
        self.tally.note(&entry);
        Ok(self.spool.entry(&entry)?)
    }

    fn is_full(&self) -> bool {
        false
    }
}
