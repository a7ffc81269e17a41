//! The keyring: every key of the tree, sealed under the epoch key, in a two-slot file of its own.

use std::{path::Path, sync::Arc};

use ring::rand::SecureRandom;

use crate::crypto::key::Key;
use crate::model::id::OwnerId;

/// The keys of one owner: a participant, or a held connection (which uses `data` alone).
#[derive(Clone, Debug)]
pub struct OwnerKeys {
    /// Seals what is not identifying.
    pub data: Key,
    /// Seals what identifies the person; `None` once destroyed (`retain`), and for held connections.
    pub identity: Option<Key>,
    /// Keys the pseudonyms.
    pub pseudonym: Key,
}

/// The gateway-wide keys.
#[derive(Clone, Debug)]
pub struct SiteKeys {
    /// Seals rows that belong to nobody (studies, settings), and digests connections.
    pub index: Key,
    /// Digests tombstones.
    pub tombstone: Key,
    /// Seals quarantined items that have no readable owner.
    pub quarantine: Key,
    /// Ed25519 seed of the site's signing key.
    pub signing_seed: Key,
}

/// Generation of journal keys: bodies are wrapped under the current one; a purge starts the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalGeneration(pub u64);

/// A change of the keyring.
pub enum Change {
    /// A new owner's keys (the caller made them with [`OwnerKeys::random`]).
    Add(OwnerId, OwnerKeys),
    /// The owner's keys are destroyed; only honoured by [`Keyring::rotate`].
    Destroy(OwnerId),
    /// The owner's identity key is destroyed; only honoured by [`Keyring::rotate`].
    DestroyIdentity(OwnerId),
    /// A new journal generation becomes current; the old ones stay readable.
    NextJournalGeneration,
    /// Journal generations before this one are destroyed; only honoured by [`Keyring::rotate`].
    DestroyJournalBefore(JournalGeneration),
}

/// Why the keyring cannot be used.
#[derive(Debug)]
pub enum Error {
    /// The root key does not open it.
    WrongRootKey,
    /// No slot is whole.
    Damaged,
    /// Reading, writing or fsync failed.
    Io(std::io::Error),
}

/// The keyring, in memory and on disk. Shared; methods take `&self`.
pub struct Keyring {}

impl OwnerKeys {
    /// New random keys.
    pub fn random(rng: &dyn SecureRandom) -> Self {
        Self { data: Key::random(rng), identity: Some(Key::random(rng)), pseudonym: Key::random(rng) }
    }
}

impl Keyring {
    /// Opens the keyring in `dir`, or makes a first one where the folder is empty.
    pub fn open(dir: &Path, root: &Key, rng: Arc<dyn SecureRandom>) -> Result<Keyring, Error> {
        let _ = (dir, root, rng);
        unimplemented!("crypto helper")
    }

    /// An owner's keys.
    pub fn owner(&self, id: &OwnerId) -> Option<Arc<OwnerKeys>> {
        let _ = id;
        unimplemented!("crypto helper")
    }

    /// The gateway-wide keys.
    pub fn site(&self) -> Arc<SiteKeys> {
        unimplemented!("crypto helper")
    }

    /// The journal generation bodies are wrapped under, and its key.
    pub fn journal_current(&self) -> (JournalGeneration, Key) {
        unimplemented!("crypto helper")
    }

    /// The key of a generation, where it still exists.
    pub fn journal(&self, generation: JournalGeneration) -> Option<Key> {
        let _ = generation;
        unimplemented!("crypto helper")
    }

    /// The number of the epoch in force.
    pub fn epoch(&self) -> u64 {
        unimplemented!("crypto helper")
    }

    /// Additions under the same epoch; returns when they are fsynced and read back.
    pub fn update(&self, changes: &[Change]) -> Result<(), Error> {
        let _ = changes;
        unimplemented!("crypto helper")
    }

    /// Any changes, under a new epoch; returns when the old epoch's slot is overwritten, fsynced and read back.
    pub fn rotate(&self, changes: &[Change]) -> Result<(), Error> {
        let _ = changes;
        unimplemented!("crypto helper")
    }
}
