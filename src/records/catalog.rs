//! The catalog: the heads of all packs in memory, and the one way in which packs come and go.

use std::{
    collections::HashSet,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::crypto::key::{Rng, random};
use crate::crypto::keyring::{Keyring, OwnerKeys};
use crate::crypto::seal::{self, Location};
use crate::dataset::spill::{Room, Scratch};
use crate::model::id::{BlobId, OwnerId};
pub use crate::records::error::Error;
use crate::records::head::{self, Head, Home, PackId};
use crate::records::pack::{HEAD, Sealed};
use crate::records::packs::{Owned, Packs};
use crate::records::read::IndexCache;
use crate::records::tidy::Use;
use crate::store::blobs::{Blobs, Draft};
use crate::store::engine::{Batch, Engine, row, table};

/// Sections up to this size stay in the row, larger ones go to the commit's file.
const ROW_BYTES_MAX: usize = 4096;
const BUNDLE_MAGIC: &[u8; 4] = b"SGB1";

/// All packs.
pub struct Catalog {
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) rng: Arc<Rng>,
    packs: RwLock<Packs>,
    pub(crate) cache: Mutex<IndexCache>,
    readers: RwLock<()>,
    sequence: AtomicU64,
}

/// Packs that are written but not yet committed.
pub struct Prepared {
    /// The rows to commit.
    pub batch: Batch,
    added: Vec<(OwnerId, PackId, Head)>,
    removed: Vec<(OwnerId, PackId)>,
}

impl Catalog {
    /// Where what is read of the records may be set aside, sealed.
    pub fn scratch(&self, room: Room) -> Scratch {
        Scratch { dir: self.blobs.dir().to_owned(), rng: self.rng.clone(), room }
    }

    /// Loads every head, and sweeps files that no head names (`kept` names further ones).
    pub fn open(
        engine: Arc<dyn Engine>,
        blobs: Arc<Blobs>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
        mut kept: HashSet<BlobId>,
    ) -> Result<Catalog, Error> {
        let mut packs = Packs::default();
        let mut failure = None;
        engine.scan(&[], &mut |key, value| {
            let Some((owner, id)) = pack_key(key) else { return true };
            match keyring.owner(&owner).map(|keys| open_head(owner, id, &keys, value)) {
                Some(Ok(head)) => {
                    packs.add(owner, id, head, |blob| blobs.size(blob));
                }
                // Without keys the pack is a purge's remainder that nobody can read; the purge's replay deletes it.
                None => {}
                Some(Err(error)) => failure = Some(error),
            }
            failure.is_none()
        })?;
        if let Some(error) = failure {
            return Err(error);
        }
        let sequence = packs.owners.values().flat_map(|heads| heads.keys()).map(PackId::sequence).max().unwrap_or(0);
        kept.extend(packs.files());
        let swept = blobs.sweep(&kept)?;
        if swept > 0 {
            tracing::info!(files = swept, "swept files that a crash left without a row");
        }
        Ok(Catalog {
            engine,
            blobs,
            keyring,
            rng,
            packs: RwLock::new(packs),
            cache: Mutex::default(),
            readers: RwLock::new(()),
            sequence: AtomicU64::new(sequence),
        })
    }

    /// The files.
    pub fn files(&self) -> &Blobs {
        &self.blobs
    }

    /// An owner's packs, oldest first.
    pub fn heads(&self, owner: &OwnerId) -> Vec<(PackId, Arc<Head>)> {
        let packs = self.packs();
        let heads = packs.owners.get(owner);
        heads.map_or_else(Vec::new, |heads| heads.iter().map(|(id, head)| (*id, head.clone())).collect())
    }

    /// The number of the newest commit of records. A commit that a crash cut short counts: what is there of it keeps
    /// its name, so that no later pack may have the same one.
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// Records are committed up to this number.
    pub fn reached(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Release);
    }

    /// While this is held no pack is merged away, so that what was listed can be read. A purge does not wait for it.
    pub fn reading(&self) -> RwLockReadGuard<'_, ()> {
        self.readers.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to merge packs; `None` while somebody reads.
    pub fn settle(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        match self.readers.try_write() {
            Ok(guard) => Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Records of an owner, revisions included.
    pub fn count(&self, owner: &OwnerId) -> u64 {
        self.heads(owner).iter().map(|(_, head)| u64::from(head.count)).sum()
    }

    /// What an owner's records take, in bytes: small ones uncompressed, large ones as their files.
    pub fn stored_bytes(&self, owner: &OwnerId) -> u64 {
        let of_head = |head: &Head| head.raw_bytes + head.large.iter().map(|blob| self.blobs.size(*blob)).sum::<u64>();
        self.heads(owner).iter().map(|(_, head)| of_head(head)).sum()
    }

    /// What the identifying parts of an owner's records take, in bytes, as they are sealed.
    pub fn identity_bytes(&self, owner: &OwnerId) -> u64 {
        self.heads(owner).iter().map(|(_, head)| u64::from(head.lengths.identity)).sum()
    }

    /// Every owner with at least one pack.
    pub fn owners(&self) -> Vec<OwnerId> {
        self.packs().owners.keys().copied().collect()
    }

    /// What the files of packs take together, and what of it lives.
    pub(super) fn bundled(&self) -> Use {
        self.packs().bundled()
    }

    /// The same of each.
    pub(super) fn bundles(&self) -> Vec<(BlobId, Use)> {
        self.packs().bundles().collect()
    }

    /// Every pack that lies in one of these files.
    pub(super) fn packs_in(&self, files: &HashSet<BlobId>) -> Vec<Owned> {
        self.packs().in_files(files)
    }

    /// Writes the sections of these packs: small ones into their rows, the rest into one file, fsynced. `removed`
    /// are packs that the new ones replace.
    pub fn prepare(&self, sealed: Vec<(OwnerId, Sealed)>, removed: Vec<(OwnerId, PackId)>) -> Result<Prepared, Error> {
        let mut batch = Batch::default();
        let mut added = Vec::with_capacity(sealed.len());
        let mut bundle = None;
        for (owner, Sealed { id, mut head, sections }) in sealed {
            let keys = self.keys(&owner)?;
            if sections.len() > ROW_BYTES_MAX {
                let draft = match &mut bundle {
                    Some(draft) => draft,
                    None => bundle.insert(self.start_bundle()?),
                };
                write_frame(draft, owner, id, &sections)?;
                head.home = Home::Blob(draft.id(), draft.bytes() - sections.len() as u64);
                batch.put(pack_row(&owner, &id), self.seal_head(owner, id, &keys, &head, &[]));
            } else {
                batch.put(pack_row(&owner, &id), self.seal_head(owner, id, &keys, &head, &sections));
            }
            added.push((owner, id, head));
        }
        if let Some(draft) = bundle {
            draft.finish()?;
        }
        for (owner, id) in &removed {
            batch.delete(pack_row(owner, id));
        }
        Ok(Prepared { batch, added, removed })
    }

    /// Commits what was prepared together with further rows; returns when durable. Files that nothing names any
    /// longer are removed then.
    pub fn commit(&self, prepared: Prepared, further: Batch) -> Result<(), Error> {
        let Prepared { mut batch, added, removed } = prepared;
        batch.append(further);
        if !batch.is_empty() {
            self.engine.commit(batch)?;
        }
        let unnamed = {
            let mut packs = self.packs.write().unwrap_or_else(PoisonError::into_inner);
            let size = |blob| self.blobs.size(blob);
            let mut unnamed: Vec<_> =
                added.into_iter().filter_map(|(owner, id, head)| packs.add(owner, id, head, size)).collect();
            unnamed.extend(removed.iter().filter_map(|(owner, id)| packs.remove(owner, id)));
            unnamed
        };
        for (owner, id) in &removed {
            self.cache.lock().unwrap_or_else(PoisonError::into_inner).forget(owner, id);
        }
        unnamed.into_iter().try_for_each(|blob| self.blobs.remove(blob).map(drop))?;
        Ok(())
    }

    /// Deletes every pack and file of an owner, keys or not; returns records and bytes that went.
    pub fn erase(&self, owner: &OwnerId) -> Result<(u64, u64), Error> {
        let heads = self.heads(owner);
        let records = heads.iter().map(|(_, head)| u64::from(head.count)).sum();
        let mut bytes = 0;
        let mut batch = Batch::default();
        self.engine.scan(&row(owner.as_bytes(), table::PACK, &[]), &mut |key, value| {
            bytes += value.len() as u64;
            batch.delete(key.to_vec());
            true
        })?;
        let removed = heads.iter().map(|(id, _)| (*owner, *id)).collect();
        self.commit(Prepared { batch, added: Vec::new(), removed }, Batch::default())?;
        for (_, head) in &heads {
            if matches!(head.home, Home::Blob(..)) {
                bytes += head.lengths.all();
            }
            for blob in &head.large {
                bytes += self.blobs.remove(*blob)?;
            }
        }
        Ok((records, bytes))
    }

    pub(crate) fn keys(&self, owner: &OwnerId) -> Result<Arc<OwnerKeys>, Error> {
        self.keyring.owner(owner).ok_or(Error::NoKeys)
    }

    fn packs(&self) -> RwLockReadGuard<'_, Packs> {
        self.packs.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_bundle(&self) -> Result<Draft, Error> {
        let mut draft = self.blobs.draft(BlobId::from_bytes(random(&*self.rng)))?;
        draft.write(BUNDLE_MAGIC)?;
        Ok(draft)
    }

    /// The row's value: length of the sealed head, the sealed head, then the sections where they stay in the row.
    fn seal_head(&self, owner: OwnerId, id: PackId, keys: &OwnerKeys, head: &Head, sections: &[u8]) -> Vec<u8> {
        let location = Location { table: HEAD, owner: owner.as_bytes(), item: &id.0 };
        let sealed = seal::seal(&keys.data, location, &head::encode(head), &*self.rng);
        let length = u16::try_from(sealed.len()).expect("a head is far smaller than 64 KiB");
        let mut value = Vec::with_capacity(2 + sealed.len() + sections.len());
        value.extend_from_slice(&length.to_be_bytes());
        value.extend_from_slice(&sealed);
        value.extend_from_slice(sections);
        value
    }
}

/// What stands before a pack's sections in a bundle, so that an index can be rebuilt from the files.
fn write_frame(draft: &mut Draft, owner: OwnerId, id: PackId, sections: &[u8]) -> io::Result<()> {
    draft.write(owner.as_bytes())?;
    draft.write(&id.0)?;
    draft.write(&u32::try_from(sections.len()).expect("a pack is far smaller").to_be_bytes())?;
    draft.write(sections)
}

/// The row that holds a pack's head.
pub(crate) fn pack_row(owner: &OwnerId, id: &PackId) -> Vec<u8> {
    row(owner.as_bytes(), table::PACK, &id.0)
}

fn pack_key(key: &[u8]) -> Option<(OwnerId, PackId)> {
    let (owner, rest) = key.split_first_chunk::<16>()?;
    let (&found, id) = rest.split_first()?;
    (found == table::PACK).then_some(())?;
    Some((OwnerId::from_bytes(*owner), PackId(id.try_into().ok()?)))
}

/// The sealed head of a row's value, and what stands behind it.
pub(crate) fn split_row(value: &[u8]) -> Result<(&[u8], &[u8]), Error> {
    let (length, rest) = value.split_first_chunk::<2>().ok_or(Error::Tampered)?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(Error::Tampered)
}

/// Whose pack stands in this row, its name and its head, where the row is one of a pack.
pub fn head_of(key: &[u8], value: &[u8], keys: &OwnerKeys) -> Result<Option<(OwnerId, PackId, Head)>, Error> {
    let Some((owner, id)) = pack_key(key) else { return Ok(None) };
    Ok(Some((owner, id, open_head(owner, id, keys, value)?)))
}

fn open_head(owner: OwnerId, id: PackId, keys: &OwnerKeys, value: &[u8]) -> Result<Head, Error> {
    let (sealed, _) = split_row(value)?;
    let location = Location { table: HEAD, owner: owner.as_bytes(), item: &id.0 };
    head::decode(&seal::open(&keys.data, location, sealed)?).ok_or(Error::Tampered)
}
