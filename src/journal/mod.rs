//! The journal: sealed bodies, durable before their 200, short-lived.
//!
//! Never: an acknowledgement before the fsync; a body released to a reader before all its tags held.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use ring::rand::SecureRandom;

use crate::crypto::keyring::Keyring;
use crate::disk::Space;
use crate::model::{connection::ClientId, entry::Entry, time::UnixSeconds};

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
    /// A sealed file was altered.
    Tampered,
}

/// The journal's writing side. Cheap to clone.
#[derive(Clone)]
pub struct Journal {}

/// The journal's reading side: one only, used by filing's thread.
pub struct Reader {}

/// A large body on its way to a file of its own; dropped unfinished, it leaves nothing.
pub struct Spool {}

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

/// A spilled body, read by two cursors over one file: entries run ahead of bytes; nothing is decoded twice.
pub struct Spilled {}

/// Settings of group commit that tests vary.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The largest body that goes into a segment, in bytes.
    pub inline_bytes_max: usize,
    /// A segment is closed past this size.
    pub segment_bytes_max: u64,
    /// Bodies kept in memory for the reader, in bytes; past it, the reader reads them back from the segment.
    pub handover_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { inline_bytes_max: 64 * 1024, segment_bytes_max: 16 << 20, handover_bytes_max: 4 << 20 }
    }
}

impl Journal {
    /// Opens the journal: what was committed and not filed is delivered again by the reader, first of all; what was
    /// not committed is swept. Positions up to `filed` were filed and are not delivered.
    pub fn open(
        settings: &Settings,
        limits: Limits,
        keyring: Arc<Keyring>,
        space: Arc<Space>,
        rng: Arc<dyn SecureRandom>,
        filed: Position,
    ) -> Result<(Journal, Reader), Error> {
        let _ = (settings, limits, keyring, space, rng, filed);
        unimplemented!("journal helper")
    }

    /// Commits a small body; returns its place when it is durable. Waiting callers share fsyncs.
    pub async fn commit(&self, header: Header, bytes: Vec<u8>, entries: Vec<Entry>) -> Result<Position, Error> {
        let _ = (header, bytes, entries);
        std::future::pending().await
    }

    /// Starts a large body. Blocking calls: use on a blocking thread.
    pub fn spool(&self) -> Result<Spool, Error> {
        unimplemented!("journal helper")
    }

    /// Bodies and bytes that are committed and not filed yet.
    pub fn backlog(&self) -> (u64, u64) {
        unimplemented!("journal helper")
    }

    /// The place of the newest committed body.
    pub fn newest(&self) -> Position {
        unimplemented!("journal helper")
    }

    /// Refuses new bodies and lets what was begun end.
    pub fn close(&self) {
        unimplemented!("journal helper")
    }
}

impl Spool {
    /// Adds decoded bytes of the body.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let _ = bytes;
        unimplemented!("journal helper")
    }

    /// Adds an entry; its span's bytes were or will be written.
    pub fn entry(&mut self, entry: &Entry) -> Result<(), Error> {
        let _ = entry;
        unimplemented!("journal helper")
    }

    /// Ends the body, and commits it; returns its place when file, directory and segment are fsynced.
    pub fn commit(self, header: Header) -> Result<Position, Error> {
        let _ = header;
        unimplemented!("journal helper")
    }
}

impl Reader {
    /// The next body in order; `None` when none came within `patience`.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Delivery>, Error> {
        let _ = patience;
        unimplemented!("journal helper")
    }

    /// All bodies up to this place are filed and durable elsewhere: their files and keys go. Segments that are filed
    /// whole are unlinked; the active one too, once it is idle.
    pub fn filed(&mut self, up_to: Position) -> Result<(), Error> {
        let _ = up_to;
        unimplemented!("journal helper")
    }
}

impl Spilled {
    /// The next entry, in order of the items' ends.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        unimplemented!("journal helper")
    }

    /// Hands the bytes of a span to `output` piece by piece; spans must ascend from call to call.
    pub fn read(&mut self, span: std::ops::Range<u64>, output: &mut dyn FnMut(&[u8])) -> Result<(), Error> {
        let _ = (span, output);
        unimplemented!("journal helper")
    }
}
