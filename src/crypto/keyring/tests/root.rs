//! Replacing the root key on a disk that stops at any step: one of the two keys opens one whole state.

use std::path::PathBuf;

use crate::crypto::key::Rng;
use crate::crypto::keyring::root::{NotReplaced, Replaced, SealedAnew, Settled, UnderRoot, replace, settle, settle_by};
use crate::crypto::root_key::file::{RootKeyFile, Staged};
use crate::crypto::root_key::{parse, text};
use crate::crypto::slots::{Slot, Slots};

use super::*;

/// One capsule in memory, which knows the key that opens it.
struct Capsule(Mutex<Key>);

impl UnderRoot for Capsule {
    fn seal_anew(&self, old: &Key, new: &Key) -> SealedAnew {
        let mut sealed = self.0.lock().unwrap();
        assert!(*sealed == *old || *sealed == *new, "neither key opens the capsule");
        *sealed = new.clone();
        SealedAnew { capsules: 1, unreached: Vec::new() }
    }
}

fn shared() -> Arc<Rng> {
    Arc::new(SystemRandom::new())
}

/// A site's two folders: the keyring with owners 1 and 2, and the root key's file outside of it.
struct Site {
    dir: tempfile::TempDir,
    capsule: Capsule,
}

impl Site {
    fn copy_of(prepared: &Path) -> Site {
        let dir = copy(prepared);
        fs::create_dir(dir.path().join("credentials")).unwrap();
        fs::write(dir.path().join("credentials/root.key"), text(&root()).as_bytes()).unwrap();
        Site { dir, capsule: Capsule(Mutex::new(root())) }
    }

    fn key_path(&self) -> PathBuf {
        self.dir.path().join("credentials/root.key")
    }

    fn configured(&self) -> Key {
        parse(&fs::read(self.key_path()).unwrap()).expect("the configured file always holds a whole key")
    }

    fn beside(&self) -> Option<Key> {
        match RootKeyFile::at(&self.key_path()).staged().unwrap() {
            Staged::Whole(key) => Some(key),
            Staged::Nothing | Staged::Torn => None,
        }
    }

    fn replace_on(&self, layer: Arc<Stopping>, changes: &[Change]) -> Result<Replaced, NotReplaced> {
        let keyring = Keyring::open(self.dir.path(), &root(), rng()).unwrap();
        let keyring = Keyring { vault: Mutex::new(keyring.vault.into_inner().unwrap().on(layer.clone())), ..keyring };
        let file = RootKeyFile::on(&self.key_path(), layer);
        replace(&keyring, &file, changes, &self.capsule, &*shared())
    }

    /// A start, which the disk stops as well.
    fn settle_on(&self, layer: Arc<Stopping>) -> Result<Settled, Error> {
        let file = RootKeyFile::on(&self.key_path(), layer.clone());
        let open = |root: &Key| Keyring::open_on(self.dir.path(), root, rng(), layer.clone());
        settle_by(&file, self.configured(), &self.capsule, &shared(), &open)
    }

    fn settle(&self) -> Settled {
        let file = RootKeyFile::at(&self.key_path());
        settle(self.dir.path(), &file, self.configured(), &self.capsule, &shared()).unwrap()
    }
}

#[test]
fn replacement_stopped_anywhere_leaves_one_key_that_opens_one_whole_state_and_no_remnant() {
    let before = prepared();
    let old_parts = remnants(before.path(), &["epoch.0", "keyring.0", "keyring.1"]);
    let (mut undone, mut finished) = (0, 0);
    for steps in 0.. {
        let site = Site::copy_of(before.path());
        let outcome = site.replace_on(Stopping::after(steps), &[Change::Destroy(id(1)), add(3)]);
        for restart_steps in 0.. {
            if site.settle_on(Stopping::after(restart_steps)).is_ok() {
                break;
            }
        }
        let settled = site.settle();
        let Settled::AsConfigured(key) = settled else { panic!("stopped after {steps}: not settled, {settled:?}") };
        assert_eq!((key == site.configured(), site.beside()), (true, None));
        assert!(*site.capsule.0.lock().unwrap() == key, "stopped after {steps}: the capsule lies under another key");
        let found = Keyring::open(site.dir.path(), &key, rng()).unwrap();
        let is_new = owners(&found) == HashSet::from([id(2), id(3)]);
        if is_new {
            finished += 1;
            assert_eq!(found.epoch(), 2);
            assert!(key != root());
            assert_nothing_left(site.dir.path(), &old_parts);
            assert!(
                matches!(open(site.dir.path()), Err(Error::RootKeyReplaced(named)) if named == Fingerprint::of(&key))
            );
        } else {
            undone += 1;
            assert_eq!(owners(&found), HashSet::from([id(1), id(2)]), "stopped after {steps}");
            assert_eq!((found.epoch(), key == root()), (1, true));
            assert!(outcome.is_err());
        }
        if matches!(&outcome, Ok(Replaced { unnamed: None, .. })) && steps >= 16 {
            assert!(is_new && undone >= 5 && finished >= 4, "{undone} undone, {finished} finished in {steps} steps");
            return;
        }
    }
}

#[test]
fn replacement_without_room_for_the_new_key_changes_nothing_and_can_be_asked_for_again() {
    let site = Site::copy_of(prepared().path());
    fs::create_dir(site.dir.path().join("credentials/root.key.new")).unwrap();
    let keyring = open(site.dir.path()).unwrap();
    let file = RootKeyFile::at(&site.key_path());
    assert!(matches!(replace(&keyring, &file, &[], &site.capsule, &*shared()), Err(NotReplaced::Unwritable(_))));
    assert!(!keyring.has_failed());
    keyring.update(&[add(5)]).unwrap();
    fs::remove_dir(site.dir.path().join("credentials/root.key.new")).unwrap();
    let other_name = site.dir.path().join("other-name");
    fs::hard_link(site.key_path(), &other_name).unwrap();
    replace(&keyring, &file, &[], &site.capsule, &*shared()).unwrap();
    assert!(keyring.root() == site.configured());
    assert!(parse(&fs::read(other_name).unwrap()).is_none(), "the old key is overwritten where it lay");
    replace(&keyring, &file, &[], &site.capsule, &*shared()).unwrap();
    drop(keyring);
    let found = Keyring::open(site.dir.path(), &site.configured(), rng()).unwrap();
    assert_eq!((found.epoch(), found.owners().len()), (3, 3));
}

#[test]
fn keyring_of_the_version_before_opens_and_gets_its_fingerprints_with_the_next_rotation() {
    let dir = prepared();
    let slots = Slots::new(dir.path(), "epoch", 4096, Arc::new(Plain));
    let Slot::Written { counter, payload } = slots.read(0).unwrap() else { panic!("the first epoch") };
    slots.write(0, counter, &payload[..payload.len() - 2 * Fingerprint::BYTES]).unwrap();
    let keyring = open(dir.path()).unwrap();
    assert_eq!(owners(&keyring), HashSet::from([id(1), id(2)]));
    assert!(matches!(Keyring::open(dir.path(), &Key::from_bytes([2; 32]), rng()), Err(Error::WrongRootKey)));
    let next = Key::from_bytes([3; 32]);
    keyring.rotate_root(&next, &[]).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::RootKeyReplaced(named)) if named == Fingerprint::of(&next)));
    assert!(matches!(Keyring::open(dir.path(), &Key::from_bytes([2; 32]), rng()), Err(Error::WrongRootKey)));
    // An epoch later it is still known which key was the one before.
    Keyring::open(dir.path(), &next, rng()).unwrap().rotate(&[]).unwrap();
    assert!(matches!(open(dir.path()), Err(Error::RootKeyReplaced(_))));
}

#[test]
fn nothing_is_made_or_thrown_away_where_there_is_no_keyring() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    fs::write(&path, text(&root()).as_bytes()).unwrap();
    fs::write(dir.path().join("root.key.new"), text(&Key::from_bytes([9; 32])).as_bytes()).unwrap();
    let keys = dir.path().join("keyring");
    fs::create_dir(&keys).unwrap();
    let capsule = Capsule(Mutex::new(root()));
    let settled = settle(&keys, &RootKeyFile::at(&path), root(), &capsule, &shared()).unwrap();
    assert_eq!(settled, Settled::AsConfigured(root()));
    assert!(dir.path().join("root.key.new").exists() && fs::read_dir(&keys).unwrap().next().is_none());
}
