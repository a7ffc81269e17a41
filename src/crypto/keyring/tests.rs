//! The keyring on a disk that stops at any step: what opens is the old or the new state, and nothing destroyed.

mod root;

use std::{
    collections::HashSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    sync::atomic::{AtomicUsize, Ordering},
};

use ring::rand::SystemRandom;

use super::*;

/// A disk that takes so many writes and fsyncs; the next one fails, half done if it is a write.
struct Stopping {
    left: AtomicUsize,
    writes: AtomicUsize,
}

impl Stopping {
    fn after(steps: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(steps), writes: AtomicUsize::new(0) })
    }

    fn step(&self) -> bool {
        self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
    }
}

impl Layer for Stopping {
    fn write(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        if self.step() {
            return file.write_all_at(bytes, 0);
        }
        file.write_all_at(&bytes[..bytes.len() / 2], 0)?;
        Err(io::Error::other("stopped"))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.step() { file.sync_all() } else { Err(io::Error::other("stopped")) }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.step() { fs::rename(from, to) } else { Err(io::Error::other("stopped")) }
    }
}

fn rng() -> Arc<dyn SecureRandom + Send + Sync> {
    Arc::new(SystemRandom::new())
}

fn root() -> Key {
    Key::from_bytes([1; 32])
}

fn open(dir: &Path) -> Result<Keyring, Error> {
    Keyring::open(dir, &root(), rng())
}

fn id(number: u16) -> OwnerId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    OwnerId::from_bytes(bytes)
}

fn add(number: u16) -> Change {
    Change::Add(id(number), OwnerKeys::random(&SystemRandom::new()))
}

fn owners(keyring: &Keyring) -> HashSet<OwnerId> {
    keyring.owners().into_iter().collect()
}

/// A copy of a keyring with owners 1 and 2, written twice.
fn prepared() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let keyring = open(dir.path()).unwrap();
    keyring.update(&[add(1)]).unwrap();
    keyring.update(&[add(2)]).unwrap();
    dir
}

fn copy(from: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), dir.path().join(entry.file_name())).unwrap();
    }
    dir
}

/// Parts of what the slots held, none of which may be left anywhere.
fn remnants(dir: &Path, names: &[&str]) -> Vec<Vec<u8>> {
    let parts = |name: &&str| {
        let bytes = fs::read(dir.join(name)).unwrap();
        // Behind magic, counter and length, which are no secret, and before the zeros.
        let end = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        bytes[20..end].chunks_exact(16).map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    names.iter().flat_map(parts).collect()
}

fn assert_nothing_left(dir: &Path, remnants: &[Vec<u8>]) {
    for entry in fs::read_dir(dir).unwrap().flatten().filter(|entry| entry.path().is_file()) {
        let bytes = fs::read(entry.path()).unwrap();
        let found: HashSet<&[u8]> = bytes.windows(16).collect();
        assert!(!remnants.iter().any(|part| found.contains(&**part)), "remnant in {}", entry.path().display());
    }
}

#[test]
fn keys_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = open(dir.path()).unwrap();
    keyring.update(&[add(1), Change::NextJournalGeneration]).unwrap();
    let again = open(dir.path()).unwrap();
    assert_eq!(again.owner(&id(1)).unwrap().data, keyring.owner(&id(1)).unwrap().data);
    assert_eq!(again.owner(&id(1)).unwrap().identity, keyring.owner(&id(1)).unwrap().identity);
    assert_eq!(again.owner(&id(1)).unwrap().pseudonym, keyring.owner(&id(1)).unwrap().pseudonym);
    assert_eq!(again.site().signing_seed, keyring.site().signing_seed);
    assert_eq!(again.journal_current(), keyring.journal_current());
    assert_eq!(again.journal_current().0, JournalGeneration(2));
    assert_eq!(again.journal(JournalGeneration(1)), keyring.journal(JournalGeneration(1)));
    assert!(again.journal(JournalGeneration(3)).is_none());
}

#[test]
fn wrong_root_key_is_told_from_damage() {
    let dir = prepared();
    assert!(matches!(Keyring::open(dir.path(), &Key::from_bytes([2; 32]), rng()), Err(Error::WrongRootKey)));
    let lost = copy(dir.path());
    for name in ["keyring.0", "keyring.1"] {
        fs::write(lost.path().join(name), b"not a slot").unwrap();
    }
    assert!(matches!(open(lost.path()), Err(Error::Damaged)));
    let lost = copy(dir.path());
    for name in ["epoch.0", "epoch.1"] {
        fs::write(lost.path().join(name), b"not a slot").unwrap();
    }
    assert!(matches!(open(lost.path()), Err(Error::Damaged)));
    let lost = copy(dir.path());
    for name in ["epoch.0", "epoch.1"] {
        fs::remove_file(lost.path().join(name)).unwrap();
    }
    assert!(matches!(open(lost.path()), Err(Error::Damaged)), "lost epochs are no empty folder");
}

#[test]
fn slots_of_two_keyrings_do_not_mix() {
    let (one, other) = (prepared(), prepared());
    for name in ["keyring.0", "keyring.1"] {
        fs::copy(other.path().join(name), one.path().join(name)).unwrap();
    }
    assert!(matches!(open(one.path()), Err(Error::Damaged)));
}

#[test]
fn first_keyring_can_be_interrupted_anywhere() {
    for steps in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let made = Keyring::open_on(dir.path(), &root(), rng(), Stopping::after(steps));
        let again = open(dir.path()).unwrap();
        assert!(again.owners().is_empty());
        again.update(&[add(1)]).unwrap();
        assert_eq!(open(dir.path()).unwrap().owners(), [id(1)]);
        if made.is_ok() {
            assert!(steps > 4, "the disk was never stopped");
            return;
        }
    }
}

#[test]
fn update_stopped_anywhere_leaves_the_old_or_the_new_keyring() {
    let before = prepared();
    for steps in 0.. {
        let dir = copy(before.path());
        let keyring = Keyring::open_on(dir.path(), &root(), rng(), Stopping::after(steps)).unwrap();
        let outcome = keyring.update(&[add(3)]);
        if outcome.is_err() {
            assert!(keyring.owner(&id(3)).is_none(), "what failed is not used");
            assert!(keyring.update(&[add(4)]).is_err(), "a failed write is not tried again");
        }
        let found = owners(&open(dir.path()).unwrap());
        let old = HashSet::from([id(1), id(2)]);
        let new = HashSet::from([id(1), id(2), id(3)]);
        assert!(found == new || (outcome.is_err() && found == old), "stopped after {steps}");
        open(dir.path()).unwrap().update(&[add(5)]).unwrap();
        assert!(open(dir.path()).unwrap().owner(&id(5)).is_some());
        if outcome.is_ok() {
            assert!(steps >= 2, "the disk was never stopped");
            return;
        }
    }
}

#[test]
fn rotation_stopped_anywhere_leaves_the_old_or_the_new_keyring_and_no_remnant() {
    let before = prepared();
    let old_parts = remnants(before.path(), &["epoch.0", "keyring.0", "keyring.1"]);
    for steps in 0.. {
        let dir = copy(before.path());
        let keyring = Keyring::open_on(dir.path(), &root(), rng(), Stopping::after(steps)).unwrap();
        let outcome = keyring.rotate(&[Change::Destroy(id(1)), add(3)]);
        // The restart may be stopped as well, as often as it likes.
        for restart_steps in 0.. {
            if Keyring::open_on(dir.path(), &root(), rng(), Stopping::after(restart_steps)).is_ok() {
                break;
            }
        }
        let found = open(dir.path()).unwrap();
        if owners(&found) == HashSet::from([id(2), id(3)]) {
            assert_eq!(found.epoch(), 2);
            assert_nothing_left(dir.path(), &old_parts);
        } else {
            assert_eq!(owners(&found), HashSet::from([id(1), id(2)]), "stopped after {steps}");
            assert_eq!(found.epoch(), 1);
            assert!(outcome.is_err());
        }
        found.rotate(&[Change::Destroy(id(1))]).unwrap();
        assert_nothing_left(dir.path(), &old_parts);
        assert!(open(dir.path()).unwrap().owner(&id(2)).is_some());
        if outcome.is_ok() {
            assert!(steps >= 8, "the disk was stopped at every step");
            return;
        }
    }
}

#[test]
fn fault_anywhere_in_a_rotation_leaves_the_running_keyring_readable_and_what_it_wraps_opens_after_a_restart() {
    for steps in 0.. {
        let before = prepared();
        let disk = Stopping::after(usize::MAX);
        let keyring = Keyring::open_on(before.path(), &root(), rng(), disk.clone()).unwrap();
        disk.left.store(steps, Ordering::SeqCst);
        let outcome = keyring.rotate(&[Change::NextJournalGeneration]);
        assert_eq!(keyring.has_failed(), outcome.is_err());
        let (generation, wrapping) = keyring.journal_current();
        let data = keyring.owner(&id(2)).unwrap().data.clone();
        if outcome.is_err() {
            disk.left.store(usize::MAX, Ordering::SeqCst);
            assert!(matches!(keyring.update(&[add(9)]), Err(Error::Io(_))), "a failed write is not tried again");
        }
        drop(keyring);
        let found = open(before.path()).unwrap();
        assert_eq!(found.journal(generation), Some(wrapping), "stopped after {steps}");
        assert_eq!((found.owners().len(), &found.owner(&id(2)).unwrap().data), (2, &data));
        if outcome.is_ok() {
            assert_eq!(steps, 8, "four slots are written and fsynced");
            return;
        }
    }
}

#[test]
fn destruction_takes_a_rotation() {
    let dir = prepared();
    let keyring = open(dir.path()).unwrap();
    for change in
        [Change::Destroy(id(1)), Change::DestroyIdentity(id(1)), Change::DestroyJournalBefore(JournalGeneration(2))]
    {
        assert!(matches!(keyring.update(&[add(9), change]), Err(Error::NeedsRotation)));
    }
    assert_eq!(owners(&keyring), HashSet::from([id(1), id(2)]));
}

#[test]
fn rotation_destroys_what_it_names_and_nothing_else() {
    let dir = prepared();
    let keyring = open(dir.path()).unwrap();
    let data = keyring.owner(&id(2)).unwrap().data.clone();
    keyring
        .rotate(&[
            Change::Destroy(id(1)),
            Change::DestroyIdentity(id(2)),
            Change::NextJournalGeneration,
            Change::DestroyJournalBefore(JournalGeneration(9)),
        ])
        .unwrap();
    let again = open(dir.path()).unwrap();
    assert!(again.owner(&id(1)).is_none());
    assert_eq!(again.owner(&id(2)).unwrap().data, data);
    assert!(again.owner(&id(2)).unwrap().identity.is_none());
    assert!(again.journal(JournalGeneration(1)).is_none());
    assert_eq!(again.journal_current().0, JournalGeneration(2), "the current generation stays");
}

#[test]
fn thousand_owners_are_one_write_and_the_slot_grows() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Stopping::after(usize::MAX);
    let keyring = Keyring::open_on(dir.path(), &root(), rng(), disk.clone()).unwrap();
    disk.writes.store(0, Ordering::SeqCst);
    keyring.update(&(0..1000).map(add).collect::<Vec<_>>()).unwrap();
    assert_eq!(disk.writes.load(Ordering::SeqCst), 1);
    assert!(fs::metadata(dir.path().join("keyring.1")).unwrap().len() > 100_000);
    assert_eq!(open(dir.path()).unwrap().owners().len(), 1000);
    keyring.rotate(&(0..999).map(|number| Change::Destroy(id(number))).collect::<Vec<_>>()).unwrap();
    assert_eq!(open(dir.path()).unwrap().owners(), [id(999)]);
}
