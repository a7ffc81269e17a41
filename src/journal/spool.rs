//! A large body on its way to a file of its own.
//!
//! Never: a file that outlives a body which was not committed; memory that grows with the body.
//!
//! ```text
//! body-<id>  | opening (`opening.rs`) | records |
//! record     | 1 kind: 1 body, 2 entries, 3 header | 1 last: 1, else 0 | 4 length | sealed chunk |
//! body       the decoded bytes as zstd frames of up to 512 KiB each, cut into chunks of up to 64 KiB
//! entries    whole entries, up to 48 KiB of them, packed
//! header     what stands beside the body (`frame.rs`), before the last record of a file that is given once
//! Kind and last stand in the chunk's nonce, so they cannot be altered. The last record is of kind 1.
//! ```
//! A body that is *to be answered* is nothing before its answer: whoever sent it sends it again, so a start sweeps a
//! file that no frame refers to, however whole. One that is *given once* cannot be asked for again. Its file holds its
//! key and header, and a start commits it as soon as its last record was written.

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
    keyring::JournalGeneration,
    seal::Location,
    stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, StreamSealer},
};
use crate::disk::Reservation;
use crate::journal::{
    Error, Handle, Header, Position,
    block::Blocks,
    frame::{self, FileId, Kind},
    opening,
    packing::Packer,
    recovery::file_path,
    shared::{Handover, Request, Shared},
};
use crate::json::entry_codec;
use crate::model::entry::Entry;

/// The length of what stands before a sealed chunk.
pub(crate) const RECORD_HEAD_BYTES: usize = 6;
/// Kind of a chunk: compressed bytes of the body.
pub(crate) const BODY: u8 = 1;
/// Kind of a chunk: entries.
pub(crate) const ENTRIES: u8 = 2;
/// Kind of a chunk: the header of a body that is given once.
pub(crate) const HEADER: u8 = 3;

/// So many bytes of entries go into a chunk; an entry's fields are limited to far fewer.
const ENTRIES_BYTES_MAX: usize = 48 * 1024;
/// Space is promised in such steps.
const RESERVATION_BYTES: u64 = 1 << 20;

/// Whether a body comes again if nobody answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    Again,
    Once,
}

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
    /// A restart decides about it: a frame may refer to it, or it is whole and speaks for itself.
    kept: bool,
    /// Of a body that is given once.
    generation: Option<GenerationInUse>,
}

/// Counts a generation as in use until dropped: a file's own key is wrapped under it.
struct GenerationInUse {
    handle: Arc<Handle>,
    generation: JournalGeneration,
    /// The file stays as it is until a restart, so its generation does.
    left: bool,
}

impl Spool {
    pub(crate) fn start(handle: Arc<Handle>, given: Given) -> Result<Spool, Error> {
        let shared = &handle.shared;
        shared.admit()?;
        let reservation = shared.space.reserve();
        let id: FileId = random(&*shared.rng);
        let path = file_path(&shared.dir, &id);
        let key = Key::random(&*shared.rng);
        let (sealer, stream) = StreamSealer::new(&key, place(&id), &*shared.rng);
        let (opening, generation) = match given {
            Given::Again => (opening::to_be_answered(&stream), None),
            Given::Once => {
                let (in_use, generation_key) = GenerationInUse::count(&handle);
                let wrapping = (in_use.generation, &generation_key);
                (opening::given_once(&id, &key, wrapping, &stream, &*shared.rng), Some(in_use))
            }
        };
        let blocks = Blocks::new().map_err(|cause| Error::Failed(Arc::new(cause)))?;
        let opened = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
        let file = opened.map_err(|cause| refusal(&handle, cause))?;
        let (written, reserved, kept) = (0, 0, false);
        let handle_of_file = handle.clone();
        let mut output = Output {
            handle: handle_of_file,
            id,
            path,
            file,
            key,
            sealer,
            written,
            reservation,
            reserved,
            kept,
            generation,
        };
        output.write(&opening)?;
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
        self.attempt(|spool| spool.finish(&header))?;
        let mut output = self.output;
        let given = if output.generation.is_some() { Given::Once } else { Given::Again };
        output.kept = given == Given::Once;
        let outcome = output.refer(header);
        if given == Given::Once && outcome.is_err() {
            output.generation.as_mut().into_iter().for_each(|in_use| in_use.left = true);
            tracing::warn!("a download that cannot be made again waits in the journal's folder for the next start");
        }
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

    fn finish(&mut self, header: &Header) -> Result<(), Error> {
        let packed = self.blocks.end().map_err(unexpected)?;
        put(&mut self.output, &mut self.chunk, &mut self.filled, packed)?;
        self.flush_entries()?;
        if self.output.generation.is_some() {
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

impl Output {
    /// Syncs the whole file and has a frame refer to it.
    fn refer(&mut self, header: Header) -> Result<Position, Error> {
        let handle = self.handle.clone();
        let shared = &handle.shared;
        shared.sync_data(&self.file).map_err(|cause| refusal(&handle, cause))?;
        shared.sync_dir().map_err(|cause| shared.poison(cause))?;
        let given_once = self.kept;
        // Until the answer is known, a frame may refer to the file.
        self.kept = true;
        let outcome = refer(shared, self.key.clone(), header, self.id, self.written);
        self.kept = given_once || !matches!(outcome, Err(Error::DiskLow));
        outcome
    }

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
        if !self.kept {
            // What is not removed here, because the disk fails, is swept at the next start.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl GenerationInUse {
    /// The generation is read and counted in one step, as the writer does for a group.
    fn count(handle: &Arc<Handle>) -> (Self, Key) {
        let mut account = handle.shared.account();
        let (generation, key) = handle.shared.keyring.journal_current();
        account.count_generation(generation, 1);
        (Self { handle: handle.clone(), generation, left: false }, key)
    }
}

impl Drop for GenerationInUse {
    fn drop(&mut self) {
        if !self.left {
            self.handle.shared.account().discount_generation(self.generation, 1);
        }
    }
}

/// Has a frame refer to a file that is on the disk; returns its place when the frame is durable.
pub(crate) fn refer(
    shared: &Shared,
    key: Key,
    header: Header,
    file: FileId,
    file_bytes: u64,
) -> Result<Position, Error> {
    let content = frame::seal_reference(&key, &header, &file, &*shared.rng);
    let (answer, answered) = oneshot::channel();
    let handover = Handover::Reference { header, file, key: key.clone() };
    let reservation = shared.space.reserve();
    shared.enqueue(Request {
        body_key: key,
        kind: Kind::Reference,
        content,
        file_bytes,
        handover,
        reservation,
        answer,
    });
    answered.blocking_recv().unwrap_or(Err(Error::Closed))
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
