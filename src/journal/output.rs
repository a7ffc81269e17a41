//! The file of a large body while it is written, and how it comes to be part of the journal.
//!
//! Never: a file removed that a frame may refer to, or that holds the only copy of a whole body.

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
    stream::StreamSealer,
};
use crate::disk::Reservation;
use crate::journal::{
    Error, Handle, Header, Position,
    frame::{self, FileId, Kind},
    opening,
    recovery::file_path,
    shared::{Handover, Haste, Request, Shared},
};

/// The length of what stands before a sealed chunk.
pub(crate) const RECORD_HEAD_BYTES: usize = 6;
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

/// The file; removed when dropped unfinished.
pub(crate) struct Output {
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

impl Output {
    /// Begins the file; its first bytes are written.
    pub(crate) fn create(handle: Arc<Handle>, given: Given) -> Result<Output, Error> {
        let shared = &handle.shared;
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
            kept: false,
            generation,
        };
        output.write(&opening)?;
        Ok(output)
    }

    /// Whether the body comes again if nobody answers.
    pub(crate) fn given(&self) -> Given {
        if self.generation.is_some() { Given::Once } else { Given::Again }
    }

    /// The last chunk is written: syncs the file and has a frame refer to it.
    pub(crate) fn commit(mut self, header: Header) -> Result<Position, Error> {
        let speaks = self.given() == Given::Once;
        self.kept = speaks;
        let outcome = self.sync().and_then(|()| {
            // Until the answer is known, a frame may refer to the file.
            self.kept = true;
            refer(&self.handle.shared, self.key.clone(), header, self.id, self.written)
        });
        self.kept = speaks || (self.kept && !matches!(outcome, Err(Error::DiskLow)));
        if outcome.is_err()
            && let Some(in_use) = &mut self.generation
        {
            in_use.left = true;
            tracing::warn!("a download that cannot be made again waits in the journal's folder for the next start");
        }
        outcome
    }

    fn sync(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        shared.sync_data(&self.file).map_err(|cause| refusal(&self.handle, cause))?;
        shared.sync_dir().map_err(|cause| shared.poison(cause))
    }

    /// Appends a sealed chunk.
    pub(crate) fn seal(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) -> Result<(), Error> {
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
        // Its file was synced by itself: waiting would spare little.
        haste: Haste::Urgent,
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
