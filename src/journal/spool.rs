//! A large body on its way to a file of its own.
//!
//! Never: a file that outlives a body which was not committed; memory that grows with the body.
//!
//! ```text
//! body-<id>  | 8 "sgbody" 0 1 | 34 header of the stream | records |
//! record     | 1 kind: 1 body, 2 entries | 1 last: 1, else 0 | 4 length | sealed chunk |
//! body       the decoded bytes as zstd frames of up to 512 KiB each, cut into chunks of up to 64 KiB
//! entries    whole entries, up to 48 KiB of them, packed
//! ```
//! Kind and last stand in the chunk's nonce, so they cannot be altered. The last record is of kind 1.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::Arc,
};

use tokio::sync::oneshot;

use crate::crypto::{
    key::{Key, random},
    seal::Location,
    stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, StreamSealer},
};
use crate::disk::Reservation;
use crate::journal::{
    Error, Handle, Header, Position,
    block::Blocks,
    frame::{self, FileId, Kind},
    packing::Packer,
    recovery::file_path,
    shared::{Handover, Request},
};
use crate::json::entry_codec;
use crate::model::entry::Entry;

/// What the file begins with.
pub(crate) const OPENING: [u8; 8] = *b"sgbody\0\x01";
/// The length of what stands before a sealed chunk.
pub(crate) const RECORD_HEAD_BYTES: usize = 6;
/// Kind of a chunk: compressed bytes of the body.
pub(crate) const BODY: u8 = 1;
/// Kind of a chunk: entries.
pub(crate) const ENTRIES: u8 = 2;

/// So many bytes of entries go into a chunk; an entry's fields are limited to far fewer.
const ENTRIES_BYTES_MAX: usize = 48 * 1024;
/// Space is promised in such steps.
const RESERVATION_BYTES: u64 = 1 << 20;
/// Where a body's file is sealed for.
pub(crate) fn place(id: &FileId) -> Location<'_> {
    Location { table: "journal file", owner: b"", item: id }
}

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

/// The file; removed when dropped unfinished.
struct Output {
    handle: Arc<Handle>,
    id: FileId,
    path: PathBuf,
    file: File,
    key: Key,
    sealer: StreamSealer,
    written: u64,
    reservation: Reservation,
    reserved: u64,
    /// Whether a frame may refer to it.
    referred: bool,
}

impl Spool {
    pub(crate) fn start(handle: Arc<Handle>) -> Result<Spool, Error> {
        let shared = &handle.shared;
        shared.admit()?;
        let reservation = shared.space.reserve();
        let id: FileId = random(&*shared.rng);
        let path = file_path(&shared.dir, &id);
        let key = Key::random(&*shared.rng);
        let (sealer, header) = StreamSealer::new(&key, place(&id), &*shared.rng);
        let blocks = Blocks::new().map_err(|cause| Error::Failed(Arc::new(cause)))?;
        let opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|cause| refusal(&handle, cause))?;
        let mut output = Output {
            handle: handle.clone(),
            id,
            path,
            file,
            key,
            sealer,
            written: 0,
            reservation,
            reserved: 0,
            referred: false,
        };
        output.write(&[&OPENING[..], &header].concat())?;
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
    pub fn commit(mut self, header: Header) -> Result<Position, Error> {
        self.attempt(Self::finish)?;
        let handle = self.handle.clone();
        let shared = &handle.shared;
        let mut output = self.output;
        shared.sync_data(&output.file).map_err(|cause| refusal(&handle, cause))?;
        shared.sync_dir().map_err(|cause| shared.poison(cause))?;

        let content = frame::seal_reference(&output.key, &header, &output.id, &*shared.rng);
        let (answer, answered) = oneshot::channel();
        let handover = Handover::Reference { header, file: output.id, key: output.key.clone() };
        // Until the answer is known, a frame may refer to the file: a restart decides.
        output.referred = true;
        shared.enqueue(Request {
            body_key: output.key.clone(),
            kind: Kind::Reference,
            content,
            file_bytes: output.written,
            handover,
            reservation: shared.space.reserve(),
            answer,
        });
        let outcome = answered.blocking_recv().unwrap_or(Err(Error::Closed));
        output.referred = !matches!(outcome, Err(Error::DiskLow));
        outcome
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

    fn finish(&mut self) -> Result<(), Error> {
        let packed = self.blocks.end().map_err(unexpected)?;
        put(&mut self.output, &mut self.chunk, &mut self.filled, packed)?;
        self.flush_entries()?;
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

impl Output {
    fn seal(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) -> Result<(), Error> {
        self.sealer.seal(kind, last, chunk);
        let length = u32::try_from(chunk.len()).expect("a chunk is small").to_be_bytes();
        let head: [u8; RECORD_HEAD_BYTES] = [kind, u8::from(last), length[0], length[1], length[2], length[3]];
        self.write(&head)?;
        self.write(chunk)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.written + bytes.len() as u64;
        if end > self.reserved {
            let step = (end - self.reserved).next_multiple_of(RESERVATION_BYTES);
            self.reservation.grow(step)?;
            self.reserved += step;
        }
        let layer = &self.handle.shared.layer;
        layer.write_at(&self.file, bytes, self.written).map_err(|cause| refusal(&self.handle, cause))?;
        self.written = end;
        Ok(())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.referred {
            // What is not removed here, because the disk fails, is swept at the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A full disk concerns this body alone; any other error of the disk concerns the journal.
fn refusal(handle: &Handle, cause: io::Error) -> Error {
    if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        Error::DiskLow
    } else {
        handle.shared.poison(cause)
    }
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
