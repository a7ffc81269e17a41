//! The last entry as it is kept beside the log, so that a log that was cut behind its last signed head is found.
//!
//! ```text
//! file   audit/tail, two sectors of 512 bytes, written in turn, in place
//! sector | 1 version = 1 | 2 length | sealed under the index key: 8 sequence, 32 SHA-256 of the line | zeros |
//! ```
//! A sector is written behind the fsync of the entry that it names, and is not fsynced itself: whatever a crash leaves
//! of the two names an entry that is durable. Integers are big endian.
//!
//! Never: an entry named that may be lost; a write that grows the file.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::audit::line::LineDigest;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{Location, open, seal};
use crate::model::audit::Checkpoint;

const NAME: &str = "tail";
const SECTOR_BYTES: usize = 512;
const VERSION: u8 = 1;
const PLACE: Location<'static> = Location { table: "audit tail", owner: &[], item: &[] };

/// What is found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// There is no file.
    Missing,
    /// There is one, and nothing in it opens.
    Unreadable,
    /// The file was made, and nothing entered since.
    Nothing,
    /// This entry was entered.
    To(Checkpoint),
}

/// The file, open for writing.
pub(super) struct Tail {
    file: File,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    turn: u64,
}

impl Tail {
    /// Opens the file, or makes it; durable on return.
    pub(super) fn open(dir: &Path, folder: &File, keyring: Arc<Keyring>, rng: Arc<Rng>) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).read(true).write(true).mode(0o600).open(dir.join(NAME))?;
        if file.metadata()?.len() < 2 * SECTOR_BYTES as u64 {
            file.write_all_at(&[0; 2 * SECTOR_BYTES], 0)?;
            file.sync_all()?;
            folder.sync_all()?;
        }
        Ok(Self { file, keyring, rng, turn: 0 })
    }

    /// The entry with this number is durable, and nothing is behind it.
    pub(super) fn keep(&mut self, sequence: u64, digest: &LineDigest) -> io::Result<()> {
        let mut plain = sequence.to_be_bytes().to_vec();
        plain.extend_from_slice(digest);
        let sealed = seal(&self.keyring.site().index, PLACE, &plain, &*self.rng);
        let mut sector = vec![VERSION];
        sector.extend_from_slice(&u16::try_from(sealed.len()).expect("a number and a digest are short").to_be_bytes());
        sector.extend_from_slice(&sealed);
        sector.resize(SECTOR_BYTES, 0);
        self.turn += 1;
        self.file.write_all_at(&sector, (self.turn % 2) * SECTOR_BYTES as u64)
    }
}

/// What is kept in this folder; touches nothing.
pub(super) fn kept(dir: &Path, keyring: &Keyring) -> io::Result<Kept> {
    let bytes = match std::fs::read(dir.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Kept::Missing),
        other => other?,
    };
    if bytes.len() == 2 * SECTOR_BYTES && bytes.iter().all(|byte| *byte == 0) {
        return Ok(Kept::Nothing);
    }
    let found = bytes.chunks_exact(SECTOR_BYTES).filter_map(|sector| opened(sector, keyring));
    Ok(found.max_by_key(|kept| kept.sequence).map_or(Kept::Unreadable, Kept::To))
}

fn opened(sector: &[u8], keyring: &Keyring) -> Option<Checkpoint> {
    let (&VERSION, rest) = sector.split_first()? else { return None };
    let (length, rest) = rest.split_first_chunk()?;
    let sealed = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    let plain = open(&keyring.site().index, PLACE, sealed).ok()?;
    let (sequence, digest) = plain.split_first_chunk()?;
    Some(Checkpoint { sequence: u64::from_be_bytes(*sequence), digest: data_encoding::HEXLOWER.encode(digest) })
}
