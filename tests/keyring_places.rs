//! The keyring's files: what was moved, mixed or given the wrong root key does not open.

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use ring::rand::SystemRandom;
use studygate::crypto::{
    key::Key,
    keyring::{Change, Error, Keyring, OwnerKeys},
};
use studygate::model::id::OwnerId;

fn open(dir: &Path, root: u8) -> Result<Keyring, Error> {
    Keyring::open(dir, &Key::from_bytes([root; 32]), Arc::new(SystemRandom::new()))
}

fn owner(number: u8) -> OwnerId {
    OwnerId::from_bytes([number; 16])
}

fn add(number: u8) -> Change {
    Change::Add(owner(number), OwnerKeys::random(&SystemRandom::new()))
}

#[test]
fn older_keyring_put_back_after_a_rotation_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = open(dir.path(), 1).unwrap();
    keyring.update(&[add(1), add(2)]).unwrap();
    let names = ["keyring.0", "keyring.1"];
    let before = names.map(|name| fs::read(dir.path().join(name)).unwrap());
    keyring.rotate(&[Change::Destroy(owner(1))]).unwrap();
    drop(keyring);
    for (name, bytes) in names.iter().zip(before) {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    assert!(matches!(open(dir.path(), 1), Err(Error::Damaged)));
}

#[test]
fn keyring_survives_the_loss_of_the_slot_that_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let keyring = open(dir.path(), 1).unwrap();
    keyring.update(&[add(1)]).unwrap();
    keyring.rotate(&[add(2)]).unwrap();
    keyring.update(&[add(3)]).unwrap();
    drop(keyring);
    let expected = HashSet::from([owner(1), owner(2), owner(3)]);
    let mut opened = 0;
    for name in ["keyring.0", "keyring.1", "epoch.0", "epoch.1"] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        if let Ok(keyring) = open(dir.path(), 1) {
            let found: HashSet<_> = keyring.owners().into_iter().collect();
            opened += usize::from(found == expected);
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(opened, 2, "one slot of each pair counts");
}

#[test]
fn each_error_is_one_sentence_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), 1).unwrap());
    let Err(error) = open(dir.path(), 2) else { panic!("a wrong root key opens nothing") };
    assert_eq!(
        error.to_string(),
        "the root key does not open the keyring; give the key this data directory was made with"
    );
}
