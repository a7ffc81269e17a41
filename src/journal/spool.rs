//! A large body on its way to a file of its own.
//!
//! Never: a file that outlives a body which was not committed, but for a whole one that is given once; memory that grows
//! with the body.
//!
//! ```text
//! body-<id>  | opening (`opening.rs`) | records |
//! record     | 1 kind: 1 body, 2 entries, 3 header | 1 last: 1, else 0 | 4 length | sealed chunk |
//! body       the decoded bytes as zstd frames of up to 512 KiB each, cut into chunks of up to 64 KiB
//! entries    whole entries, up to 48 KiB of them, packed
//! header     what stands beside the body (`frame.rs`), before the last record of a file that is given once
//! ```
//! Kind and last stand in the chunk's nonce, so they cannot be altered. The last record is of kind 1.
//!
//! A body that is *to be answered* is nothing before its answer: whoever sent it sends it again, so a start sweeps a
//! file that no frame refers to, however whole. One that is *given once* cannot be asked for again. Its file holds its
//! key and header, and a start commits it as soon as its last record was written.

use std::{io, sync::Arc};

use crate::crypto::stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD};
use crate::journal::{
    Error, Handle, Header, Position,
    block::Blocks,
    frame,
    output::{Given, Output},
    packing::Packer,
};
use crate::json::entry_codec;
use crate::model::entry::Entry;

/// Kind of a chunk: compressed bytes of the body.
pub(crate) const BODY: u8 = 1;
/// Kind of a chunk: entries.
pub(crate) const ENTRIES: u8 = 2;
/// Kind of a chunk: the header of a body that is given once.
pub(crate) const HEADER: u8 = 3;

/// So many bytes of entries go into a chunk; an entry's fields are limited to far fewer.
const ENTRIES_BYTES_MAX: usize = 48 * 1024;
/// A large body on its way to a file of its own; dropped unfinished, it leaves nothing.
pub struct Spool {
    handle: Arc<Handle>,
    output: Output,
    blocks: Blocks,
    /// Compressed bytes; the first `filled` count.
    chunk: Vec<u8>,
    filled: usize,
    entries: Vec<u8>,
    packer: Packer,
    /// The body cannot be committed any more.
    refused: bool,
}

impl Spool {
    pub(crate) fn start(handle: Arc<Handle>, given: Given) -> Result<Spool, Error> {
        handle.shared.admit()?;
        let blocks = Blocks::new().map_err(unexpected)?;
        let output = Output::create(handle.clone(), given)?;
        Ok(Spool {
            handle,
            output,
            blocks,
            chunk: chunk(),
            filled: 0,
            entries: Vec::new(),
            packer: Packer::new(),
            refused: false,
        })
    }

    /// Adds decoded bytes of the body.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.attempt(|spool| spool.compress(bytes))
    }

    /// Adds an entry; its span's bytes were or will be written.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        self.attempt(|spool| {
            let before = spool.entries.len();
            entry_codec::encode(entry, &mut spool.entries);
            if spool.entries.len() <= ENTRIES_BYTES_MAX {
                return Ok(());
            }
            if spool.entries.len() - before > ENTRIES_BYTES_MAX {
                return Err(unexpected(io::Error::new(io::ErrorKind::InvalidInput, "an entry is larger than a chunk")));
            }
            let beyond = spool.entries.split_off(before);
            spool.flush_entries()?;
            spool.entries = beyond;
            Ok(())
        })
    }

    /// Ends the body, and commits it; returns its place when file, directory and segment are fsynced.
    ///
    /// Where that fails for a body that is given only once, its file is whole all the same, and a restart commits it.
    pub fn commit(mut self, header: Header) -> Result<Position, Error> {
        self.attempt(|spool| spool.finish(&header))?;
        self.output.commit(header)
    }

    /// After a refusal nothing more is taken: a body with a hole must not look whole.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        self.handle.shared.healthy()?;
        if self.refused {
            return Err(Error::DiskLow);
        }
        let outcome = step(self);
        self.refused = outcome.is_err();
        outcome
    }

    fn compress(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            if let Some(packed) = self.blocks.take(&mut bytes).map_err(unexpected)? {
                put(&mut self.output, &mut self.chunk, &mut self.filled, packed)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, header: &Header) -> Result<(), Error> {
        let packed = self.blocks.end().map_err(unexpected)?;
        put(&mut self.output, &mut self.chunk, &mut self.filled, packed)?;
        self.flush_entries()?;
        if self.output.given() == Given::Once {
            let mut encoded = Vec::new();
            frame::encode_header(header, &mut encoded);
            self.output.seal(HEADER, false, &mut encoded)?;
        }
        self.chunk.truncate(self.filled);
        self.output.seal(BODY, true, &mut self.chunk)
    }

    fn flush_entries(&mut self) -> Result<(), Error> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let mut packed = self.packer.pack(&self.entries);
        self.entries.clear();
        self.output.seal(ENTRIES, false, &mut packed)
    }
}

/// Cuts compressed bytes into chunks, each sealed once it is full.
fn put(output: &mut Output, chunk: &mut Vec<u8>, filled: &mut usize, mut packed: &[u8]) -> Result<(), Error> {
    while !packed.is_empty() {
        let (fits, rest) = packed.split_at(packed.len().min(CHUNK_BYTES_MAX - *filled));
        chunk[*filled..*filled + fits.len()].copy_from_slice(fits);
        *filled += fits.len();
        packed = rest;
        if *filled == CHUNK_BYTES_MAX {
            output.seal(BODY, false, chunk)?;
            chunk.truncate(CHUNK_BYTES_MAX);
            *filled = 0;
        }
    }
    Ok(())
}

/// What concerns this body alone: no memory for the compressor, or an entry that is none.
fn unexpected(cause: io::Error) -> Error {
    Error::Failed(Arc::new(cause))
}

fn chunk() -> Vec<u8> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES_MAX + CHUNK_OVERHEAD);
    chunk.resize(CHUNK_BYTES_MAX, 0);
    chunk
}
