//! The keyring: every key of the tree, sealed under the epoch key, in a two-slot file of its own.
//!
//! Never: a key derived from the one above it (all are random, and wrapped); a destroyed key left readable.
//!
//! `keyring/codec.rs` is the content as bytes, `keyring/vault.rs` the files and the order in which they are written.

mod codec;
mod copy;
pub mod root;
#[cfg(test)]
mod tests;
mod vault;

use std::{
    collections::{BTreeMap, HashMap},
    fmt, io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicBool, Ordering},
    },
};

use ring::rand::SecureRandom;

pub use crate::crypto::keyring::copy::KeysCopy;
use crate::crypto::{
    key::Key,
    keyring::vault::Vault,
    root_key::Fingerprint,
    slots::{Layer, Plain},
};
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
#[derive(Clone, Debug)]
pub enum Change {
    /// A new owner's keys (the caller made them with [`OwnerKeys::random`]).
    Add(OwnerId, OwnerKeys),
    /// The owner's keys are destroyed; takes [`Keyring::rotate`].
    Destroy(OwnerId),
    /// The owner's identity key is destroyed; takes [`Keyring::rotate`].
    DestroyIdentity(OwnerId),
    /// A new journal generation becomes current; the old ones stay readable.
    NextJournalGeneration,
    /// Journal generations before this one are destroyed, but never the current one; takes [`Keyring::rotate`].
    DestroyJournalBefore(JournalGeneration),
}

/// Why the keyring cannot be used.
#[derive(Debug)]
pub enum Error {
    /// The root key does not open it.
    WrongRootKey,
    /// The root key was replaced by a rotation; the fingerprint is that of the one in force.
    RootKeyReplaced(Fingerprint),
    /// No slot is whole.
    Damaged,
    /// [`Keyring::update`] was asked to destroy, which takes [`Keyring::rotate`]; nothing was changed.
    NeedsRotation,
    /// Reading, writing or fsync failed; after a failed write every change fails until the keyring is opened again.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongRootKey => {
                f.write_str("the root key does not open the keyring; give the key this data directory was made with")
            }
            Self::RootKeyReplaced(in_force) => write!(
                f,
                "the root key was replaced by a rotation; install the new key that `keys rotate --root` wrote, whose \
                 fingerprint is {in_force}, in the place of this one"
            ),
            Self::Damaged => f.write_str("the keyring is damaged; restore the data directory from a backup"),
            Self::NeedsRotation => f.write_str("keys are destroyed by a rotation of the keyring alone; rotate it"),
            Self::Io(cause) => write!(f, "the keyring cannot be read or written: {cause}; check the disk"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(cause) => Some(cause),
            Self::WrongRootKey | Self::RootKeyReplaced(_) | Self::Damaged | Self::NeedsRotation => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(cause: io::Error) -> Self {
        Self::Io(cause)
    }
}

/// The keyring, in memory and on disk. Shared; methods take `&self`.
pub struct Keyring {
    keys: RwLock<Keys>,
    /// Held while a change is written, so that readers wait only for the exchange in memory.
    vault: Mutex<Vault>,
    /// The vault's own word, for those who must not wait for a write.
    failed: AtomicBool,
    rng: Arc<dyn SecureRandom + Send + Sync>,
}

/// What a keyring holds.
#[derive(Clone)]
struct Keys {
    site: Arc<SiteKeys>,
    owners: HashMap<OwnerId, Arc<OwnerKeys>>,
    /// Never empty; the last one is current.
    journal: BTreeMap<JournalGeneration, Key>,
}

impl OwnerKeys {
    /// New random keys.
    pub fn random(rng: &dyn SecureRandom) -> Self {
        Self { data: Key::random(rng), identity: Some(Key::random(rng)), pseudonym: Key::random(rng) }
    }
}

impl Change {
    fn destroys(&self) -> bool {
        match self {
            Self::Destroy(_) | Self::DestroyIdentity(_) | Self::DestroyJournalBefore(_) => true,
            Self::Add(..) | Self::NextJournalGeneration => false,
        }
    }
}

impl Keyring {
    /// Opens the keyring in `dir`, or makes a first one where the folder is empty.
    pub fn open(dir: &Path, root: &Key, rng: Arc<dyn SecureRandom + Send + Sync>) -> Result<Keyring, Error> {
        Self::open_on(dir, root, rng, Arc::new(Plain))
    }

    fn open_on(
        dir: &Path,
        root: &Key,
        rng: Arc<dyn SecureRandom + Send + Sync>,
        layer: Arc<dyn Layer>,
    ) -> Result<Keyring, Error> {
        let first = || codec::encode(&Keys::random(&*rng));
        let (vault, content) = Vault::open(dir, root, rng.clone(), layer, first)?;
        let keys = codec::decode(&content).ok_or(Error::Damaged)?;
        let failed = AtomicBool::new(false);
        Ok(Keyring { keys: RwLock::new(keys), vault: Mutex::new(vault), failed, rng })
    }

    /// An owner's keys.
    pub fn owner(&self, id: &OwnerId) -> Option<Arc<OwnerKeys>> {
        self.keys().owners.get(id).cloned()
    }

    /// Every owner there are keys for, in no order.
    pub fn owners(&self) -> Vec<OwnerId> {
        self.keys().owners.keys().copied().collect()
    }

    /// The gateway-wide keys.
    pub fn site(&self) -> Arc<SiteKeys> {
        self.keys().site.clone()
    }

    /// The journal generation bodies are wrapped under, and its key.
    pub fn journal_current(&self) -> (JournalGeneration, Key) {
        let keys = self.keys();
        let (generation, key) = keys.journal.last_key_value().expect("a keyring has a journal generation");
        (*generation, key.clone())
    }

    /// The key of a generation, where it still exists.
    pub fn journal(&self, generation: JournalGeneration) -> Option<Key> {
        self.keys().journal.get(&generation).cloned()
    }

    /// The number of the epoch in force.
    pub fn epoch(&self) -> u64 {
        self.vault().epoch()
    }

    /// The root key in force, for what else is sealed under it (key capsules of backups). It is to be asked for each
    /// time: a rotation may replace it.
    pub fn root(&self) -> Key {
        self.vault().root().clone()
    }

    /// Whether a write failed, so that every change fails until the keyring is opened again.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Additions under the same epoch, in one write; returns when they are fsynced and read back.
    pub fn update(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.iter().any(Change::destroys) {
            return Err(Error::NeedsRotation);
        }
        self.change(changes, Vault::update)
    }

    /// Any changes, under a new epoch; returns when the old epoch's slot is overwritten, fsynced and read back.
    pub fn rotate(&self, changes: &[Change]) -> Result<(), Error> {
        self.change(changes, Vault::rotate)
    }

    /// Any changes, under a new epoch that is sealed under a new root key. On return the old root key opens nothing
    /// of this keyring, and the new one is to be where the next start looks for it.
    pub fn rotate_root(&self, root: &Key, changes: &[Change]) -> Result<(), Error> {
        self.change(changes, |vault, content| vault.rotate_root(content, root.clone()))
    }

    fn change(
        &self,
        changes: &[Change],
        write: impl FnOnce(&mut Vault, &vault::Content) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut vault = self.vault();
        let mut next = self.keys().clone();
        changes.iter().for_each(|change| next.apply(change, &*self.rng));
        let written = write(&mut vault, &codec::encode(&next));
        self.failed.store(vault.has_failed(), Ordering::Relaxed);
        written?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keys {
    fn random(rng: &dyn SecureRandom) -> Self {
        let site = SiteKeys {
            index: Key::random(rng),
            tombstone: Key::random(rng),
            quarantine: Key::random(rng),
            signing_seed: Key::random(rng),
        };
        let journal = BTreeMap::from([(JournalGeneration(1), Key::random(rng))]);
        Self { site: Arc::new(site), owners: HashMap::new(), journal }
    }

    fn apply(&mut self, change: &Change, rng: &dyn SecureRandom) {
        let current = self.journal.last_key_value().map_or(JournalGeneration(0), |(generation, _)| *generation);
        match change {
            Change::Add(id, keys) => {
                self.owners.insert(*id, Arc::new(keys.clone()));
            }
            Change::Destroy(id) => {
                self.owners.remove(id);
            }
            Change::DestroyIdentity(id) => {
                if let Some(keys) = self.owners.get_mut(id) {
                    Arc::make_mut(keys).identity = None;
                }
            }
            Change::NextJournalGeneration => {
                self.journal.insert(JournalGeneration(current.0 + 1), Key::random(rng));
            }
            Change::DestroyJournalBefore(first_kept) => {
                self.journal = self.journal.split_off(&current.min(*first_kept));
            }
        }
    }
}
