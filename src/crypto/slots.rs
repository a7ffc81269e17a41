//! A pair of files of which the newer valid one counts; a write goes to the other one, in place.
//!
//! Never: a rename or a truncation of a slot that has been written (its old blocks would live on in free space); a
//! write that is believed before it is fsynced and read back.
//!
//! ```text
//! written    | 8 "sgslot" 0 1 | 8 counter | 4 length | payload | 32 SHA-256 of all before | zeros to the end |
//! destroyed  | random bytes | 32 SHA-256 of "destroyed" and all before |
//! blank      zeros only, or an empty file
//! torn       anything else: a write that did not end
//! ```
//! Integers are big endian. The digest finds torn writes; against forgery the payload is sealed by its owner.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::{
    digest::{Context, SHA256, digest},
    rand::SecureRandom,
};
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

const MAGIC: &[u8; 8] = b"sgslot\0\x01";
const HEAD_BYTES: usize = 8 + 8 + 4;
const DIGEST_BYTES: usize = 32;

/// What a write does to the disk; tests put one that fails in its place.
pub(crate) trait Layer: Send + Sync {
    /// Overwrites the file from its first byte.
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, 0)
    }

    /// Returns when what was written is on the disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    /// Gives a file the name of another, which has it no more.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }
}

/// The machine's disk.
pub(crate) struct Plain;

impl Layer for Plain {}

/// What a slot holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Blank,
    Written { counter: u64, payload: Vec<u8> },
    Destroyed,
    Torn,
}

/// The files `<name>.0` and `<name>.1` of a folder.
pub(crate) struct Slots {
    dir: PathBuf,
    name: &'static str,
    /// Files are a multiple of this long, in bytes.
    step: usize,
    layer: Arc<dyn Layer>,
}

impl Slots {
    pub(crate) fn new(dir: &Path, name: &'static str, step: usize, layer: Arc<dyn Layer>) -> Self {
        Self { dir: dir.to_owned(), name, step, layer }
    }

    /// The same on another disk.
    #[cfg(test)]
    pub(crate) fn on(self, layer: Arc<dyn Layer>) -> Self {
        Self { layer, ..self }
    }

    /// Whether either file is there.
    pub(crate) fn exist(&self) -> bool {
        [0, 1].iter().any(|which| self.path(*which).exists())
    }

    /// Makes the files that are missing, blank and with their space allocated.
    pub(crate) fn preallocate(&self) -> io::Result<()> {
        for which in [0, 1] {
            if !self.path(which).exists() {
                let file = self.open(which)?;
                allocate(&file, 0, self.step)?;
                self.layer.sync(&file)?;
                self.sync_dir()?;
            }
        }
        Ok(())
    }

    /// Makes slot 0 with this content, all or nothing: its name appears once it is whole.
    pub(crate) fn create_first(&self, counter: u64, payload: &[u8]) -> io::Result<()> {
        let unnamed = self.dir.join(format!("{}.0.new", self.name));
        let file = options().create(true).truncate(true).open(&unnamed)?;
        self.layer.write(&file, &framed(counter, payload, self.step))?;
        self.layer.sync(&file)?;
        self.layer.rename(&unnamed, &self.path(0))?;
        self.sync_dir()
    }

    pub(crate) fn read(&self, which: usize) -> io::Result<Slot> {
        match std::fs::read(self.path(which)) {
            Ok(bytes) => Ok(parse(&bytes)),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(Slot::Blank),
            Err(other) => Err(other),
        }
    }

    /// Makes room for a payload of this many bytes; a full disk is found here, before anything is overwritten.
    pub(crate) fn make_room(&self, which: usize, payload_bytes: usize) -> io::Result<()> {
        let file = self.open(which)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let needed = (HEAD_BYTES + payload_bytes + DIGEST_BYTES).next_multiple_of(self.step);
        if needed > length {
            allocate(&file, length, needed - length)?;
        }
        Ok(())
    }

    /// Overwrites the slot; returns when it is fsynced and reads back as written.
    pub(crate) fn write(&self, which: usize, counter: u64, payload: &[u8]) -> io::Result<()> {
        self.make_room(which, payload.len())?;
        let file = self.open(which)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        self.overwrite(&file, &framed(counter, payload, length.max(self.step)))
    }

    /// Overwrites the slot, all of it, with random bytes; returns when that is fsynced and reads back.
    pub(crate) fn destroy(&self, which: usize, rng: &dyn SecureRandom) -> io::Result<()> {
        let file = self.open(which)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).max(self.step);
        self.overwrite(&file, &destroyed(length, rng)?)
    }

    fn overwrite(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        self.layer.write(file, bytes)?;
        self.layer.sync(file)?;
        read_back(file, bytes, 0)
    }

    fn open(&self, which: usize) -> io::Result<File> {
        options().create(true).truncate(false).open(self.path(which))
    }

    fn path(&self, which: usize) -> PathBuf {
        self.dir.join(format!("{}.{which}", self.name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.layer.sync(&File::open(&self.dir)?)
    }
}

/// Whether the file holds these bytes at this place.
pub(crate) fn read_back(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    // Drops clean pages, so that the read asks the disk; where the hint is not taken, the cache answers.
    fadvise(file, 0, None, Advice::DontNeed)?;
    let mut back = vec![0; bytes.len()];
    file.read_exact_at(&mut back, at)?;
    if back != bytes {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a slot does not read back as written"));
    }
    Ok(())
}

/// The bytes that destroy a slot of this length: random, and marked as such.
pub(crate) fn destroyed(length: usize, rng: &dyn SecureRandom) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length - DIGEST_BYTES];
    rng.fill(&mut bytes).map_err(|_| io::Error::other("the random source failed"))?;
    let mark = destroyed_mark(&bytes);
    bytes.extend_from_slice(&mark);
    Ok(bytes)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn allocate(file: &File, from: usize, bytes: usize) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), from as u64, bytes as u64) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP) => file.set_len((from + bytes) as u64),
        Err(other) => Err(other.into()),
    }
}

/// The slot's bytes, filled with zeros to `length` or the next multiple of it.
pub(crate) fn framed(counter: u64, payload: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length.max(HEAD_BYTES + payload.len() + DIGEST_BYTES));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes.extend_from_slice(&u32::try_from(payload.len()).expect("a keyring is under 4 GiB").to_be_bytes());
    bytes.extend_from_slice(payload);
    let checked = digest(&SHA256, &bytes);
    bytes.extend_from_slice(checked.as_ref());
    bytes.resize(bytes.len().next_multiple_of(length), 0);
    bytes
}

/// What these bytes of a slot, all of it, hold.
pub(crate) fn parse(bytes: &[u8]) -> Slot {
    if bytes.iter().all(|byte| *byte == 0) {
        return Slot::Blank;
    }
    if let Some(written) = parse_written(bytes) {
        return written;
    }
    match bytes.split_last_chunk::<DIGEST_BYTES>() {
        Some((random, mark)) if *mark == destroyed_mark(random) => Slot::Destroyed,
        _ => Slot::Torn,
    }
}

fn parse_written(bytes: &[u8]) -> Option<Slot> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (counter, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (payload, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let expected = rest.first_chunk::<DIGEST_BYTES>()?;
    let found = digest(&SHA256, &bytes[..HEAD_BYTES + payload.len()]);
    (found.as_ref() == expected)
        .then(|| Slot::Written { counter: u64::from_be_bytes(*counter), payload: payload.to_vec() })
}

fn destroyed_mark(random: &[u8]) -> [u8; DIGEST_BYTES] {
    let mut context = Context::new(&SHA256);
    context.update(b"destroyed");
    context.update(random);
    let mut mark = [0; DIGEST_BYTES];
    mark.copy_from_slice(context.finish().as_ref());
    mark
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    fn slots(dir: &Path) -> Slots {
        Slots::new(dir, "ring", 256, Arc::new(Plain))
    }

    #[test]
    fn slot_reads_back_and_grows_in_steps() {
        let dir = tempfile::tempdir().unwrap();
        let slots = slots(dir.path());
        slots.preallocate().unwrap();
        assert_eq!(slots.read(0).unwrap(), Slot::Blank);
        for (counter, length, expected) in [(1, 0, 256), (2, 204, 256), (3, 205, 512), (4, 3000, 3072), (5, 10, 3072)] {
            let payload = vec![7; length];
            slots.write(0, counter, &payload).unwrap();
            assert_eq!(slots.read(0).unwrap(), Slot::Written { counter, payload });
            assert_eq!(std::fs::metadata(slots.path(0)).unwrap().len(), expected);
        }
        assert_eq!(slots.read(1).unwrap(), Slot::Blank);
    }

    #[test]
    fn shorter_payload_leaves_nothing_of_the_longer() {
        let dir = tempfile::tempdir().unwrap();
        let slots = slots(dir.path());
        slots.write(0, 1, &[0xAB; 700]).unwrap();
        slots.write(0, 2, &[1; 10]).unwrap();
        assert!(!std::fs::read(slots.path(0)).unwrap().contains(&0xAB));
    }

    #[test]
    fn destruction_overwrites_in_place() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let slots = slots(dir.path());
        let payload: Vec<u8> = (0..=255).collect();
        slots.write(1, 1, &payload).unwrap();
        let before = std::fs::metadata(slots.path(1)).unwrap();
        slots.destroy(1, &SystemRandom::new()).unwrap();
        let after = std::fs::metadata(slots.path(1)).unwrap();
        assert_eq!((before.ino(), before.len()), (after.ino(), after.len()));
        assert_eq!(slots.read(1).unwrap(), Slot::Destroyed);
        let bytes = std::fs::read(slots.path(1)).unwrap();
        assert!(payload.windows(8).all(|part| !bytes.windows(8).any(|found| found == part)));
    }

    #[test]
    fn every_cut_or_altered_slot_is_torn() {
        let whole = framed(9, b"payload", 64);
        assert!(matches!(parse(&whole), Slot::Written { counter: 9, .. }));
        for at in 0..HEAD_BYTES + 7 + DIGEST_BYTES {
            let mut altered = whole.clone();
            altered[at] ^= 1;
            assert_eq!(parse(&altered), Slot::Torn, "byte {at}");
        }
        for length in 1..HEAD_BYTES + 7 + DIGEST_BYTES {
            assert_eq!(parse(&whole[..length]), Slot::Torn, "{length} bytes");
        }
    }
}
