//! The capsule at the front of a backup: the keys that open it, under the root key, in two slots of the file.
//!
//! Never: a slot written by rename or at another place of the disk than before; a rewriting that is believed before it
//! is fsynced and read back; keys that were destroyed in the slot that does not count.
//!
//! ```text
//! slots     as in crypto/slots.rs, one behind the other; the one with the higher counter counts, once it opens
//! payload   the keys, sealed under the root key for (backup, counter)
//! rewrite   new keys into the slot that does not count; from here on they do; the other slot destroyed
//! ```
//! A crash in between leaves both: the next `settle` destroys the one that does not count. The slots are made with
//! the file and never grow, since keys only go.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use ring::rand::SecureRandom;
use zeroize::Zeroizing;

use crate::backup::frame::Fault;
use crate::backup::head::{HEAD_BYTES, Head, SLOT_BYTES_MAX};
use crate::crypto::key::Key;
use crate::crypto::keyring::KeysCopy;
use crate::crypto::seal::{Location, OVERHEAD, open as unseal, seal};
use crate::crypto::slots::{Slot, destroyed, framed, parse, read_back};
use crate::model::id::BackupId;

const STEP_BYTES: usize = 4096;
/// What a slot takes beside its payload, in bytes.
const FRAMING_BYTES: usize = 8 + 8 + 4 + 32;

/// What a rewriting does to the disk; tests put one that fails in its place.
pub(crate) trait Layer: Send + Sync {
    /// Overwrites from this byte on.
    fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    /// Returns when what was written is on the disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }
}

/// The machine's disk.
pub(crate) struct Plain;

impl Layer for Plain {}

/// The keys of a backup as its file has them.
#[derive(Debug)]
pub struct Capsule {
    /// The keys.
    pub keys: KeysCopy,
    counter: u64,
    which: usize,
    /// Whether the other slot holds anything that has to be destroyed.
    unsettled: bool,
}

/// Why a capsule cannot be opened.
#[derive(Debug)]
pub enum Closed {
    /// The root key is not the one that it was made under.
    WrongRootKey,
    /// No slot is whole.
    Damaged,
    /// The file cannot be read.
    Fault(Fault),
}

/// How long a slot has to be for these keys, in bytes.
pub fn slot_bytes(keys: &KeysCopy) -> io::Result<u32> {
    let bytes = (keys.encode().len() + OVERHEAD + FRAMING_BYTES).next_multiple_of(STEP_BYTES);
    let bytes = u32::try_from(bytes).ok().filter(|bytes| *bytes <= SLOT_BYTES_MAX);
    bytes.ok_or_else(|| io::Error::other("there are too many keys for a backup"))
}

/// Both slots of a backup that is being made.
pub fn first(head: &Head, keys: &KeysCopy, root: &Key, rng: &dyn SecureRandom) -> Vec<u8> {
    let length = head.slot_bytes as usize;
    let mut slots = framed(1, &sealed(root, &head.id, 1, keys, rng), length);
    slots.resize(2 * length, 0);
    slots
}

/// The capsule of a file.
pub fn open(file: &File, head: &Head, root: &Key) -> Result<Capsule, Closed> {
    let slots = [read(file, head, 0)?, read(file, head, 1)?];
    let mut written: Vec<_> = (0..)
        .zip(&slots)
        .filter_map(|(which, slot)| match slot {
            Slot::Written { counter, payload } => Some((*counter, which, payload)),
            Slot::Blank | Slot::Destroyed | Slot::Torn => None,
        })
        .collect();
    written.sort_unstable_by_key(|(counter, ..)| std::cmp::Reverse(*counter));
    if written.is_empty() {
        return Err(Closed::Damaged);
    }
    for (counter, which, payload) in written {
        let opened = unseal(root, place(&head.id, &counter.to_be_bytes()), payload).map(Zeroizing::new);
        if let Some(keys) = opened.ok().as_deref().and_then(|bytes| KeysCopy::decode(bytes)) {
            let other = &slots[1 - which];
            let unsettled = !matches!(other, Slot::Blank | Slot::Destroyed);
            return Ok(Capsule { keys, counter, which, unsettled });
        }
    }
    Err(Closed::WrongRootKey)
}

/// Both slots are as whoever wrote them left them: for whoever has no root key.
pub fn check(slots: &[u8]) -> Result<(), Fault> {
    let (first, second) = slots.split_at(slots.len() / 2);
    let mut whole = 0;
    for (at, slot) in [(HEAD_BYTES, first), (HEAD_BYTES + first.len(), second)] {
        match parse(slot) {
            // Also what fills the slot up.
            Slot::Written { counter, payload } if framed(counter, &payload, slot.len()) == slot => whole += 1,
            Slot::Blank | Slot::Destroyed => {}
            Slot::Written { .. } | Slot::Torn => return Err(Fault::Altered(at as u64)),
        }
    }
    if whole > 0 { Ok(()) } else { Err(Fault::Altered(HEAD_BYTES as u64)) }
}

/// The file's keys are these from the return on, under this root key, and no others.
pub(crate) fn rewrite(
    file: &File,
    head: &Head,
    capsule: &Capsule,
    root: &Key,
    rng: &dyn SecureRandom,
    layer: &dyn Layer,
) -> io::Result<()> {
    let (counter, which) = (capsule.counter + 1, 1 - capsule.which);
    let slot = framed(counter, &sealed(root, &head.id, counter, &capsule.keys, rng), head.slot_bytes as usize);
    if slot.len() != head.slot_bytes as usize {
        return Err(io::Error::other("the keys do not fit the backup's capsule"));
    }
    overwrite(file, head, which, &slot, layer)?;
    overwrite(file, head, capsule.which, &destroyed(head.slot_bytes as usize, rng)?, layer)
}

/// Destroys what an interrupted rewriting left in the slot that does not count.
pub(crate) fn settle(
    file: &File,
    head: &Head,
    capsule: &Capsule,
    rng: &dyn SecureRandom,
    layer: &dyn Layer,
) -> io::Result<()> {
    overwrite(file, head, 1 - capsule.which, &destroyed(head.slot_bytes as usize, rng)?, layer)
}

/// Destroys both slots: nothing in the file opens from then on.
pub(crate) fn destroy(file: &File, head: &Head, rng: &dyn SecureRandom, layer: &dyn Layer) -> io::Result<()> {
    [0, 1]
        .into_iter()
        .try_for_each(|which| overwrite(file, head, which, &destroyed(head.slot_bytes as usize, rng)?, layer))
}

impl Capsule {
    /// Whether the slot that does not count holds something.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled
    }
}

fn overwrite(file: &File, head: &Head, which: usize, bytes: &[u8], layer: &dyn Layer) -> io::Result<()> {
    let at = offset(head, which);
    layer.write_at(file, bytes, at)?;
    layer.sync(file)?;
    read_back(file, bytes, at)
}

fn read(file: &File, head: &Head, which: usize) -> Result<Slot, Closed> {
    let mut bytes = Vec::new();
    let mut slot = At { file, at: offset(head, which) }.take(u64::from(head.slot_bytes));
    slot.read_to_end(&mut bytes).map_err(Fault::Io)?;
    if bytes.len() < head.slot_bytes as usize {
        return Err(Closed::Fault(Fault::Cut(offset(head, which) + bytes.len() as u64)));
    }
    Ok(parse(&bytes))
}

/// A file from some byte on, whatever else reads it.
struct At<'a> {
    file: &'a File,
    at: u64,
}

impl Read for At<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(bytes, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn offset(head: &Head, which: usize) -> u64 {
    HEAD_BYTES as u64 + which as u64 * u64::from(head.slot_bytes)
}

fn sealed(root: &Key, id: &BackupId, counter: u64, keys: &KeysCopy, rng: &dyn SecureRandom) -> Vec<u8> {
    seal(root, place(id, &counter.to_be_bytes()), &keys.encode(), rng)
}

fn place<'a>(id: &'a BackupId, counter: &'a [u8; 8]) -> Location<'a> {
    Location { table: "capsule", owner: id.as_bytes(), item: counter }
}

impl From<Fault> for Closed {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WrongRootKey => {
                f.write_str("the root key does not open the backup's keys; give the root key of the site that made it")
            }
            Self::Damaged => f.write_str("the backup's keys are damaged or were destroyed; use another backup"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Closed {}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use ring::rand::SystemRandom;

    use super::*;
    use crate::backup::head::Form;
    use crate::crypto::keyring::{Change, Keyring, OwnerKeys};
    use crate::model::id::OwnerId;
    use crate::model::time::UnixSeconds;

    /// A disk that ends with this operation, a write halfway.
    struct Ending {
        at: usize,
        done: AtomicUsize,
    }

    impl Ending {
        fn after(at: usize) -> Self {
            Self { at, done: AtomicUsize::new(0) }
        }

        fn ends(&self) -> bool {
            self.done.fetch_add(1, Ordering::SeqCst) >= self.at
        }
    }

    impl Layer for Ending {
        fn write_at(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
            if self.ends() {
                Plain.write_at(file, &bytes[..bytes.len() / 2], at)?;
                return Err(io::Error::other("the power went"));
            }
            Plain.write_at(file, bytes, at)
        }

        fn sync(&self, file: &File) -> io::Result<()> {
            if self.ends() { Err(io::Error::other("the power went")) } else { Plain.sync(file) }
        }
    }

    const ROOT: [u8; 32] = [1; 32];

    fn owner(byte: u8) -> OwnerId {
        OwnerId::from_bytes([byte; 16])
    }

    fn keyring(dir: &std::path::Path) -> Keyring {
        let keyring = Keyring::open(dir, &Key::from_bytes(ROOT), Arc::new(SystemRandom::new())).expect("a keyring");
        let owners = [1, 2].map(|byte| Change::Add(owner(byte), OwnerKeys::random(&SystemRandom::new())));
        keyring.update(&owners).expect("added");
        keyring
    }

    /// A file of head and slots.
    fn file(keys: &KeysCopy) -> (File, Head) {
        let head = Head {
            form: Form::Backup,
            id: BackupId::from_bytes([3; 16]),
            made: UnixSeconds(1),
            site_key: [4; 32],
            slot_bytes: slot_bytes(keys).expect("few keys"),
        };
        let file = tempfile::tempfile().expect("a file");
        let mut bytes = head.encode();
        bytes.extend(first(&head, keys, &Key::from_bytes(ROOT), &SystemRandom::new()));
        file.write_all_at(&bytes, 0).expect("written");
        (file, head)
    }

    #[test]
    fn rewriting_that_is_cut_short_anywhere_leaves_old_or_new_keys_and_the_next_one_destroys_the_old() {
        let dir = tempfile::tempdir().expect("a folder");
        let (keyring, root) = (keyring(dir.path()), Key::from_bytes(ROOT));
        let whole = keyring.copy();
        let secret = whole.owner(&owner(1)).expect("keys").data.expose().to_vec();
        keyring.rotate(&[Change::Destroy(owner(1))]).expect("rotated");
        for at in 0.. {
            let (file, head) = file(&whole);
            let mut capsule = open(&file, &head, &root).expect("it opens");
            assert!(capsule.keys.restrict(&keyring));
            let outcome = rewrite(&file, &head, &capsule, &root, &SystemRandom::new(), &Ending::after(at));
            let mut found = open(&file, &head, &root).expect("old or new");
            if found.keys.restrict(&keyring) {
                rewrite(&file, &head, &found, &root, &SystemRandom::new(), &Plain).expect("rewritten");
            } else if found.is_unsettled() {
                settle(&file, &head, &found, &SystemRandom::new(), &Plain).expect("settled");
            }
            let settled = open(&file, &head, &root).expect("it opens");
            assert!(settled.keys.owner(&owner(1)).is_none() && settled.keys.owner(&owner(2)).is_some(), "{at}");
            assert!(!settled.is_unsettled());
            let mut slots = vec![0; 2 * head.slot_bytes as usize];
            file.read_exact_at(&mut slots, HEAD_BYTES as u64).expect("read");
            check(&slots).expect("whole");
            // One slot counts, and the other holds nothing that any key opens.
            let written =
                slots.chunks(head.slot_bytes as usize).filter(|slot| matches!(parse(slot), Slot::Written { .. }));
            assert_eq!(written.count(), 1, "{at}");
            assert!(slots.windows(32).all(|part| part != secret));
            if outcome.is_ok() {
                assert_eq!(at, 4, "two slots, each written and synced");
                return;
            }
        }
    }

    #[test]
    fn destroyed_capsule_opens_with_no_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let (file, head) = file(&keyring(dir.path()).copy());
        destroy(&file, &head, &SystemRandom::new(), &Plain).expect("destroyed");
        assert!(matches!(open(&file, &head, &Key::from_bytes(ROOT)), Err(Closed::Damaged)));
    }
}
