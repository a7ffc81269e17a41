//! A copy of the keys: what a backup's capsule holds, and what a restored keyring begins with.
//!
//! Never: a key in a copy that the keyring destroyed, once it was [restricted](KeysCopy::restrict).

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::vault::Vault;
use crate::crypto::keyring::{Error, JournalGeneration, Keyring, Keys, OwnerKeys, SiteKeys, codec};
use crate::crypto::slots::Plain;
use crate::model::id::OwnerId;

/// Keys, apart from any keyring's files.
#[derive(Clone)]
pub struct KeysCopy {
    epoch: u64,
    keys: Keys,
}

impl Keyring {
    /// A copy of the keys that bodies in the journal do not need: of the site and of every owner.
    pub fn copy(&self) -> KeysCopy {
        let mut keys = self.keys().clone();
        let current = keys.journal.pop_last();
        keys.journal = current.into_iter().collect();
        KeysCopy { epoch: self.epoch(), keys }
    }

    /// Makes a keyring of these keys in an empty folder, under an epoch later than this one.
    pub fn restore(dir: &Path, root: &Key, rng: Arc<Rng>, copy: &KeysCopy, after: u64) -> Result<Keyring, Error> {
        let mut copy = copy.clone();
        // Bodies that were sealed under another generation are not there: none of their keys is kept.
        let last = copy.keys.journal.last_key_value().map_or(0, |(generation, _)| generation.0);
        copy.keys.journal = BTreeMap::from([(JournalGeneration(last + 1), Key::random(&*rng))]);
        Vault::create(dir, root, &*rng, Arc::new(Plain), &codec::encode(&copy.keys), copy.epoch.max(after) + 1)?;
        Self::open(dir, root, rng)
    }
}

impl KeysCopy {
    /// The copy as bytes, wiped when dropped.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let content = codec::encode(&self.keys);
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 + content.len()));
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&content);
        bytes
    }

    /// The copy of these bytes; `None` where they are of no version that is known here.
    pub fn decode(bytes: &[u8]) -> Option<KeysCopy> {
        let (epoch, content) = bytes.split_first_chunk::<8>()?;
        Some(KeysCopy { epoch: u64::from_be_bytes(*epoch), keys: codec::decode(content)? })
    }

    /// The epoch in which it was made.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The gateway-wide keys.
    pub fn site(&self) -> Arc<SiteKeys> {
        Arc::clone(&self.keys.site)
    }

    /// An owner's keys.
    pub fn owner(&self, id: &OwnerId) -> Option<Arc<OwnerKeys>> {
        self.keys.owners.get(id).cloned()
    }

    /// How many owners there are keys of.
    pub fn owners(&self) -> usize {
        self.keys.owners.len()
    }

    /// An owner's keys go; returns whether there were any.
    pub fn destroy(&mut self, id: &OwnerId) -> bool {
        self.keys.owners.remove(id).is_some()
    }

    /// An owner's identity key goes; returns whether there was one.
    pub fn destroy_identity(&mut self, id: &OwnerId) -> bool {
        let keys = self.keys.owners.get_mut(id).filter(|keys| keys.identity.is_some());
        keys.is_some_and(|keys| Arc::make_mut(keys).identity.take().is_some())
    }

    /// Every key goes that this keyring does not have any more; returns whether any did. A copy of another site's
    /// keys is left as it is.
    pub fn restrict(&mut self, live: &Keyring) -> bool {
        let live = live.keys().clone();
        if live.site.signing_seed != self.keys.site.signing_seed {
            return false;
        }
        let before = self.keys.owners.len();
        self.keys.owners.retain(|id, _| live.owners.contains_key(id));
        let mut changed = self.keys.owners.len() != before;
        for (id, keys) in &mut self.keys.owners {
            if keys.identity.is_some() && live.owners.get(id).is_some_and(|live| live.identity.is_none()) {
                Arc::make_mut(keys).identity = None;
                changed = true;
            }
        }
        changed
    }
}

impl fmt::Debug for KeysCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeysCopy").field("epoch", &self.epoch).field("owners", &self.owners()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;

    use super::*;
    use crate::crypto::keyring::Change;

    fn id(byte: u8) -> OwnerId {
        OwnerId::from_bytes([byte; 16])
    }

    fn keyring(dir: &Path) -> Keyring {
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let keyring = Keyring::open(dir, &Key::from_bytes([1; 32]), Arc::clone(&rng)).expect("a keyring");
        let owners = [1, 2, 3].map(|byte| Change::Add(id(byte), OwnerKeys::random(&*rng)));
        keyring.update(&owners).expect("added");
        keyring
    }

    #[test]
    fn copy_loses_what_the_keyring_destroys_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let keyring = keyring(dir.path());
        let mut copy = KeysCopy::decode(&keyring.copy().encode()).expect("its own bytes");
        assert!(!copy.restrict(&keyring));
        keyring.rotate(&[Change::Destroy(id(1)), Change::DestroyIdentity(id(2))]).expect("rotated");
        assert!(copy.restrict(&keyring));
        assert!(copy.owner(&id(1)).is_none());
        assert!(copy.owner(&id(2)).is_some_and(|keys| keys.identity.is_none()));
        assert!(copy.owner(&id(3)).is_some_and(|keys| keys.identity.is_some()));
        assert!(!copy.restrict(&keyring), "a second time changes nothing");
    }

    #[test]
    fn copy_of_another_site_is_left_alone() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let mut copy = keyring(one.path()).copy();
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let other = Keyring::open(other.path(), &Key::from_bytes([1; 32]), rng).expect("a keyring");
        assert!(!copy.restrict(&other));
        assert_eq!(copy.owners(), 3);
    }

    #[test]
    fn restored_keyring_has_the_owners_keys_under_a_later_epoch_and_no_older_generation() {
        let (one, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let keyring = keyring(one.path());
        let copy = keyring.copy();
        let rng: Arc<Rng> = Arc::new(SystemRandom::new());
        let root = Key::from_bytes([2; 32]);
        let restored = Keyring::restore(other.path(), &root, rng, &copy, 41).expect("restored");
        assert_eq!(restored.epoch(), 42);
        let data = |keyring: &Keyring| keyring.owner(&id(1)).expect("keys").data.clone();
        assert!(data(&restored) == data(&keyring));
        let (before, now) = (keyring.journal_current().0, restored.journal_current().0);
        assert!(now > before && restored.journal(before).is_none());
    }
}
