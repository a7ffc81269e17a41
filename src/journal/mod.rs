//! The journal: sealed bodies, durable before their 200, short-lived.
//!
//! Never: an acknowledgement before the fsync; a body released to a reader before all its tags held.
//!
//! ```text
//! commit (caller: compress, seal) ─┐
//! spool (a file of its own) ───────┴▶ queue ▶ writer: one write, one fsync for all ▶ answers
//!                                                │ in memory, as far as there is room
//!                                                ▼
//!                       segments, files ──────▶ reader ▶ filing ▶ filed: unlinked
//! ```
//! A small body is a frame in a segment, a large one a file (`spool.rs`) with a frame that refers to it. Each has a key
//! of its own, wrapped under the keyring's journal generation by the thread that writes the frame.

mod block;
mod frame;
mod layer;
mod opening;
mod output;
mod packing;
mod reader;
mod recovery;
mod room;
mod segment;
mod shared;
mod spilled;
mod spool;
#[cfg(test)]
mod tests;
mod writer;

use std::{fmt, io, path::PathBuf, sync::Arc, thread, time::Duration};

use ring::rand::SecureRandom;
use tokio::sync::oneshot;

use crate::crypto::{
    key::Key,
    keyring::{JournalGeneration, Keyring},
};
use crate::disk::{DiskLow, Space};
use crate::journal::{
    frame::Kind,
    layer::Plain,
    output::Given,
    shared::{Handover, Haste, Request, Shared},
    writer::Writer,
};
use crate::model::{
    connection::ClientId,
    entry::Entry,
    pull::PullRef,
    summary::{DEREGISTRATIONS, PERMISSION_CHANGES},
    time::UnixSeconds,
};

pub use reader::Reader;
pub use spilled::Spilled;
pub use spool::Spool;

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The journal's folder.
    pub dir: PathBuf,
}

/// What stands beside a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// When its last byte came.
    pub received: UnixSeconds,
    /// The client it came for.
    pub client: ClientId,
    /// The ping that it answers; `None` for what Garmin sent by itself.
    pub pull: Option<PullRef>,
}

/// The place of a body in the journal: later bodies have higher ones, across restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

/// Why a body cannot be taken.
#[derive(Debug)]
pub enum Error {
    /// The disk is under its reserve; this body alone is refused.
    DiskLow,
    /// A write or fsync failed; the journal takes nothing until a restart.
    Failed(Arc<io::Error>),
    /// The gateway is stopping.
    Closed,
    /// The body at this place was altered, cut or taken away.
    Tampered(Position),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskLow => f.write_str("the disk is under its reserve; free space on it"),
            Self::Failed(cause) => write!(f, "the journal failed: {cause}; check the disk and restart the gateway"),
            Self::Closed => f.write_str("the gateway is stopping; send the notification again later"),
            Self::Tampered(Position(place)) => {
                write!(f, "body {place} of the journal was altered or taken away; find out who writes to the disk")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(cause) => Some(&**cause),
            Self::DiskLow | Self::Closed | Self::Tampered(_) => None,
        }
    }
}

impl From<DiskLow> for Error {
    fn from(DiskLow: DiskLow) -> Self {
        Self::DiskLow
    }
}

/// The journal's writing side. Cheap to clone; the last one dropped ends the writing thread.
#[derive(Clone)]
pub struct Journal {
    handle: Arc<Handle>,
}

/// A small body on its way to the disk.
pub struct Committing(oneshot::Receiver<Result<Position, Error>>);

/// Keeps the writing thread.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    writer: Option<thread::JoinHandle<()>>,
}

/// A body to be filed.
pub struct Delivery {
    /// Its place.
    pub position: Position,
    /// What stands beside it.
    pub header: Header,
    /// The body.
    pub body: Body,
}

/// A body, small or large.
pub enum Body {
    /// In memory.
    Inline {
        /// The decoded bytes.
        bytes: Vec<u8>,
        /// Its entries.
        entries: Vec<Entry>,
    },
    /// In a file of its own, every tag and the last flag verified.
    Spilled(Spilled),
}

/// Settings of group commit that tests vary.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body that goes into a segment, in bytes.
    pub inline_bytes_max: usize,
    /// A segment is closed past this size.
    pub segment_bytes_max: u64,
    /// Bodies kept in memory for the reader, in bytes; past it, the reader reads them back from the segment.
    pub handover_bytes_max: usize,
    /// While so many bodies are unfiled, further small ones wait a while before they are taken.
    pub backlog_bodies_max: u64,
    /// An answer to a ping, for which nobody outside waits, may wait so long for others to be written with it.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            inline_bytes_max: 64 * 1024,
            segment_bytes_max: 16 << 20,
            handover_bytes_max: 4 << 20,
            backlog_bodies_max: 1 << 15,
            patience: Duration::from_millis(20),
        }
    }
}

impl Journal {
    /// Opens the journal: what was committed and not filed is delivered again by the reader, first of all; what was
    /// not committed is swept, but for whole bodies that are given only once: those are committed. Positions up to `filed` were filed and are not delivered.
    pub fn open(
        settings: &Settings,
        limits: Limits,
        keyring: Arc<Keyring>,
        space: Arc<Space>,
        rng: Arc<dyn SecureRandom + Send + Sync>,
        filed: Position,
    ) -> Result<(Journal, Reader), Error> {
        let shared = Shared::new(&settings.dir, limits, keyring, space, rng, Arc::new(Plain));
        Self::open_on(shared, filed)
    }

    fn open_on(shared: Shared, filed: Position) -> Result<(Journal, Reader), Error> {
        let failed = |cause| Error::Failed(Arc::new(cause));
        let found = recovery::recover(&shared, filed.0).map_err(failed)?;
        let shared = Arc::new(shared);
        let writer = Writer::start(shared.clone(), found.next_segment).map_err(failed)?;
        let reader = Reader::new(shared.clone(), filed.0);
        let handle = Arc::new(Handle { shared, writer: Some(writer) });
        recovery::commit(&handle.shared, found.orphans)?;
        Ok((Journal { handle }, reader))
    }

    /// Commits a small body; returns its place when it is durable. Waiting callers share fsyncs.
    ///
    /// A body that holds nothing but deregistrations and permission changes may use the disk's reserve.
    pub async fn commit(&self, header: Header, bytes: Vec<u8>, entries: Vec<Entry>) -> Result<Position, Error> {
        self.begin(header, bytes, entries).await?.durable().await
    }

    /// The same, as far as the body is on its way: it becomes durable whether anybody waits for that or not.
    pub async fn begin(&self, header: Header, bytes: Vec<u8>, entries: Vec<Entry>) -> Result<Committing, Error> {
        let shared = &self.handle.shared;
        shared.admit()?;
        // What an answer holds was asked for, and can be again.
        let is_control = header.pull.is_none() && is_control(&entries);
        if !is_control {
            shared.wait_for_room().await;
        }
        let mut reservation = shared.space.reserve();
        let room = bytes.len() as u64;
        if is_control { reservation.grow_control(room) } else { reservation.grow(room) }?;

        let body_key = Key::random(&*shared.rng);
        let content = frame::seal_inline(&body_key, &header, &entries, &bytes, &*shared.rng);
        let haste = Haste::of(&header);
        let handover = Handover::Inline { header, bytes, entries };
        let (answer, answered) = oneshot::channel();
        let kind = Kind::Inline;
        shared.enqueue(Request { body_key, kind, content, file_bytes: 0, handover, reservation, haste, answer });
        Ok(Committing(answered))
    }

    /// Starts a large body. Blocking calls: use on a blocking thread.
    pub fn spool(&self) -> Result<Spool, Error> {
        Spool::start(self.handle.clone(), Given::Again)
    }

    /// Starts a body that its sender gives only once, whatever its size: from its last byte on it survives a crash,
    /// though nobody was answered. Refused where the disk has no room beyond its reserve. Blocking calls.
    pub fn spool_once(&self) -> Result<Spool, Error> {
        Spool::start(self.handle.clone(), Given::Once)
    }

    /// The largest body that [`commit`](Self::commit) is meant for, in bytes; a larger one is to be spooled.
    pub fn inline_bytes_max(&self) -> usize {
        self.handle.shared.limits.inline_bytes_max
    }

    /// Bodies and bytes on disk that are committed and not filed yet.
    pub fn backlog(&self) -> (u64, u64) {
        let account = self.handle.shared.account();
        (account.bodies, account.bytes)
    }

    /// The place of the newest committed body.
    pub fn newest(&self) -> Position {
        Position(self.handle.shared.account().newest)
    }

    /// Bodies up to this place have been filed.
    pub fn filed(&self) -> Position {
        Position(self.handle.shared.account().filed)
    }

    /// The oldest generation that a body which is not filed, or is being committed, is wrapped under. Whoever has
    /// started a later generation and finds none before it here may destroy those before it.
    pub fn oldest_generation(&self) -> Option<JournalGeneration> {
        self.handle.shared.account().generations.keys().next().copied()
    }

    /// How many times the journal has asked the disk to sync since it was opened.
    pub fn fsyncs(&self) -> u64 {
        self.handle.shared.fsyncs()
    }

    /// A number that grows as long as bodies are made durable; `None` where none waits for that.
    pub fn under_way(&self) -> Option<u64> {
        self.handle.shared.under_way()
    }

    /// Refuses new bodies and lets what was begun end.
    pub fn close(&self) {
        self.handle.shared.close();
    }
}

impl Committing {
    /// Returns the body's place when it is durable.
    pub async fn durable(self) -> Result<Position, Error> {
        self.0.await.unwrap_or(Err(Error::Closed))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the journal's writing thread panicked; restart the gateway");
        }
    }
}

fn is_control(entries: &[Entry]) -> bool {
    !entries.is_empty() && entries.iter().all(|entry| matches!(&*entry.member, DEREGISTRATIONS | PERMISSION_CHANGES))
}
