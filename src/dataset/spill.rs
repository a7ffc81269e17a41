//! What a dataset sets aside while it is made: sealed blocks in a file without a name.
//!
//! Never: a byte in clear; a key anywhere but in memory; a file that outlives the process.

use std::{
    fs::{File, OpenOptions, remove_file},
    io::{self, Read, Seek, SeekFrom, Write},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use ring::rand::SecureRandom;

use crate::crypto::{
    key::{Key, random},
    seal::{Location, OVERHEAD, open, seal},
};

/// Where things are set aside, and with which randomness they are sealed.
#[derive(Clone)]
pub struct Scratch {
    /// A folder.
    pub dir: PathBuf,
    /// Randomness.
    pub rng: Arc<dyn SecureRandom + Send + Sync>,
    /// Asked before each block.
    pub room: Room,
}

/// Whether the disk has room for so many bytes more.
pub type Room = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// The file. It is made when the first block comes.
pub(super) struct Spill {
    scratch: Scratch,
    key: Key,
    file: Mutex<Option<(File, u64)>>,
}

/// A block that was set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    at: u64,
    bytes: usize,
}

const TABLE: &str = "dataset.spill";
const PLACE_BYTES: usize = 16;

impl Block {
    /// Its length.
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }
}

impl Spill {
    /// An empty one under a key of its own.
    pub(super) fn new(scratch: &Scratch) -> Self {
        Self { scratch: scratch.clone(), key: Key::random(&*scratch.rng), file: Mutex::new(None) }
    }

    /// Sets a block aside.
    pub(super) fn put(&self, block: &[u8]) -> io::Result<Block> {
        if !(self.scratch.room)((PLACE_BYTES + block.len() + OVERHEAD) as u64) {
            let low = "the disk is under its reserve, and things are set aside on it; free space on it, then try again";
            return Err(io::Error::new(io::ErrorKind::StorageFull, low));
        }
        let place = random::<PLACE_BYTES>(&*self.scratch.rng);
        let location = Location { table: TABLE, owner: &[], item: &place };
        let sealed = seal(&self.key, location, block, &*self.scratch.rng);
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some((self.create()?, 0));
        }
        let (file, end) = held.as_mut().expect("just made");
        let at = *end;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&place)?;
        file.write_all(&sealed)?;
        *end += (place.len() + sealed.len()) as u64;
        Ok(Block { at, bytes: block.len() })
    }

    /// A block as it was set aside.
    pub(super) fn get(&self, block: Block) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; PLACE_BYTES + block.bytes + OVERHEAD];
        let mut held = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, _) = held.as_mut().ok_or_else(unreadable)?;
        file.seek(SeekFrom::Start(block.at))?;
        file.read_exact(&mut bytes)?;
        drop(held);
        let (place, sealed) = bytes.split_at(PLACE_BYTES);
        open(&self.key, Location { table: TABLE, owner: &[], item: place }, sealed).map_err(|_| unreadable())
    }

    /// A file whose name is gone before anything is in it, so that it goes with the process however that ends.
    fn create(&self) -> io::Result<File> {
        let name = format!("export-{}", data_encoding::HEXLOWER.encode(&random::<16>(&*self.scratch.rng)));
        let path = self.scratch.dir.join(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        remove_file(&path)?;
        Ok(file)
    }
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "what was set aside while the dataset was made cannot be read again")
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("dir", &self.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_no_name_is_left() {
        let dir = tempfile::tempdir().expect("a folder");
        let scratch = Scratch {
            dir: dir.path().to_owned(),
            rng: Arc::new(ring::rand::SystemRandom::new()),
            room: Arc::new(|_| true),
        };
        let spill = Spill::new(&scratch);
        let blocks: Vec<Block> =
            [b"one".as_slice(), b"", b"three"].iter().map(|bytes| spill.put(bytes).expect("kept")).collect();
        assert_eq!(std::fs::read_dir(dir.path()).expect("a folder").count(), 0);
        assert_eq!(spill.get(blocks[2]).expect("there"), b"three");
        assert_eq!(spill.get(blocks[0]).expect("there"), b"one");
        assert_eq!(spill.get(blocks[1]).expect("there"), b"");
        let swapped = Block { at: blocks[2].at, bytes: 4 };
        assert!(spill.get(swapped).is_err());
    }
}
