//! Quarantine: what is refused or cannot be read, kept sealed for a person to look at, for a while.
//!
//! Never: an item of a known owner under any key but theirs; a row opened to count or to expire.
//!
//! ```text
//! row    holder ‖ 'q' ‖ 16 name [‖ 16 id of the file] = Quarantined, sealed for (holder, name and file)
//! file   the item's text; of a pulled file the item, `]}` and the file's bytes: sealed like the row
//! key    the site's quarantine key, a participant's identity key, a held connection's data key
//! name   a digest of the item's place in the journal under that key, so that names of two holders never meet
//! ```
//! The file stands in the row's key, so that a purge finds it without opening anything. (Rows of the version before
//! name it within.)

mod item;
mod kept;
mod kind;
mod put;
mod send;

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{self, Location, Tampered};
pub use crate::filing::quarantine::item::{Holder, ItemId, Quarantined, VERSION};
use crate::filing::quarantine::kept::{Kept, Slot};
pub use crate::filing::quarantine::kind::kind;
pub use crate::filing::quarantine::send::{Sent, SentAs};
pub use crate::model::quarantine::Reason;
use crate::model::{
    id::{BlobId, OwnerId},
    time::UnixSeconds,
};
use crate::records::large;
use crate::store::blobs::Blobs;
use crate::store::engine::{self, Batch, Engine, SITE, table};

const TABLE: &str = "quarantine";

/// Where quarantined items are put and found.
pub struct Quarantine {
    engine: Arc<dyn Engine>,
    blobs: Arc<Blobs>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    kept: Mutex<Kept>,
    /// Held while a person's decision is carried out: one at a time.
    decision: Mutex<()>,
}

/// A quarantined item, and where it is.
pub struct Listed {
    /// What it is shown by.
    pub id: ItemId,
    /// Who holds it.
    pub holder: Holder,
    /// The item.
    pub item: Quarantined,
    slot: Slot,
}

impl Quarantine {
    /// The quarantine as it is stored; rows whose key is gone are removed.
    pub fn open(
        engine: Arc<dyn Engine>,
        blobs: Arc<Blobs>,
        keyring: Arc<Keyring>,
        rng: Arc<Rng>,
    ) -> Result<Quarantine, engine::Error> {
        let quarantine = Self { engine, blobs, keyring, rng, kept: Mutex::default(), decision: Mutex::default() };
        let mut keyless = Batch::default();
        quarantine.engine.scan(&[], &mut |key, sealed| {
            let Some((holder, item)) = split_row(key) else { return true };
            match quarantine.read(holder, item, sealed) {
                Ok(found) => {
                    let (received, bytes) = (found.received, found.bytes);
                    quarantine.kept().add(Slot { holder, item: item.to_vec(), blob: found.blob, received, bytes });
                }
                Err(Tampered) if quarantine.has_lost_its_key(holder) => keyless.delete(key.to_vec()),
                Err(Tampered) => tampered(),
            }
            true
        })?;
        if !keyless.is_empty() {
            tracing::info!(items = keyless.operations.len(), "removed quarantined items whose key is destroyed");
            quarantine.engine.commit(keyless)?;
        }
        Ok(quarantine)
    }

    /// Every item, in no order.
    pub fn list(&self) -> Result<Vec<Listed>, engine::Error> {
        let slots: Vec<_> = self.present().slots().cloned().collect();
        let listed = slots.into_iter().map(|slot| self.listed(slot));
        listed.filter_map(Result::transpose).collect()
    }

    /// The item of this id.
    pub fn find(&self, id: ItemId) -> Result<Option<Listed>, engine::Error> {
        let slot = self.present().find(id).cloned();
        slot.map_or(Ok(None), |slot| self.listed(slot))
    }

    /// Hands the item's bytes to `output`: its text, and where there is a file `]}` and the file.
    pub fn content(
        &self,
        listed: &Listed,
        output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), large::Error> {
        match (&listed.item.text, listed.item.blob) {
            (Some(text), _) => Ok(output(text.as_bytes())?),
            (None, None) => Ok(()),
            (None, Some(blob)) => {
                let key = self.key(listed.holder).ok_or(large::Error::Tampered)?;
                large::read(&self.blobs, blob, &key, TABLE, listed.holder.place(), output)
            }
        }
    }

    /// Removes an item by a person's decision; whether it was there.
    pub fn drop_item(&self, id: ItemId) -> Result<bool, engine::Error> {
        let _decision = self.decision.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(listed) = self.find(id)? else { return Ok(false) };
        self.remove(&[listed.slot])?;
        Ok(true)
    }

    /// How many items there are.
    pub fn items(&self) -> u64 {
        self.present().items()
    }

    /// The files that items are in.
    pub fn files(&self) -> HashSet<BlobId> {
        self.kept().slots().filter_map(|slot| slot.blob).collect()
    }

    /// Removes items that arrived before this time; returns how many.
    pub fn expire(&self, before: UnixSeconds) -> Result<usize, engine::Error> {
        let expired: Vec<_> = self.present().slots().filter(|slot| slot.received < before).cloned().collect();
        self.remove(&expired)?;
        Ok(expired.len())
    }

    /// Forgets items whose rows a withdrawal has taken while their holder stays.
    pub fn forget_erased(&self) -> Result<(), engine::Error> {
        let slots: Vec<_> = self.present().slots().cloned().collect();
        for slot in slots {
            if self.engine.get(&slot.row())?.is_none() {
                self.kept().remove(&slot);
            }
        }
        Ok(())
    }

    /// Rows first: a file that a crash leaves behind is swept at the next start.
    fn remove(&self, slots: &[Slot]) -> Result<(), engine::Error> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::default();
        slots.iter().for_each(|slot| batch.delete(slot.row()));
        self.engine.commit(batch)?;
        for blob in slots.iter().filter_map(|slot| slot.blob) {
            self.blobs.remove(blob).map_err(|cause| engine::Error::Failed(Arc::new(cause)))?;
        }
        let mut kept = self.kept();
        slots.iter().for_each(|slot| kept.remove(slot));
        Ok(())
    }

    /// `None` for an item that went meanwhile, or whose row is not committed yet.
    fn listed(&self, slot: Slot) -> Result<Option<Listed>, engine::Error> {
        let Some(sealed) = self.engine.get(&slot.row())? else { return Ok(None) };
        match self.read(slot.holder, &slot.item, &sealed) {
            Ok(item) => Ok(Some(Listed { id: slot.id(), holder: slot.holder, item, slot })),
            Err(Tampered) => {
                tampered();
                Ok(None)
            }
        }
    }

    fn read(&self, holder: Holder, item: &[u8], sealed: &[u8]) -> Result<Quarantined, Tampered> {
        let key = self.key(holder).ok_or(Tampered)?;
        let read: Quarantined =
            serde_json::from_slice(&seal::open(&key, at(&holder, item), sealed)?).map_err(|_| Tampered)?;
        let named = kept::named_blob(item);
        if named.is_some() && named != read.blob { Err(Tampered) } else { Ok(read) }
    }

    /// What a holder's items are sealed under.
    fn key(&self, holder: Holder) -> Option<Key> {
        match holder {
            Holder::Site => Some(self.keyring.site().quarantine.clone()),
            Holder::Owner(owner) => {
                let keys = self.keyring.owner(&owner)?;
                Some(keys.identity.clone().unwrap_or_else(|| keys.data.clone()))
            }
        }
    }

    /// Whether a row of theirs that does not open can have been sealed under a key that is destroyed since.
    fn has_lost_its_key(&self, holder: Holder) -> bool {
        match holder {
            Holder::Site => false,
            Holder::Owner(owner) => self.keyring.owner(&owner).is_none_or(|keys| keys.identity.is_none()),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, without what a purge took.
    fn present(&self) -> MutexGuard<'_, Kept> {
        let mut kept = self.kept();
        kept.retain(|holder| match holder {
            Holder::Site => true,
            Holder::Owner(owner) => self.keyring.owner(owner).is_some(),
        });
        kept
    }
}

/// Who holds a row of the quarantine, and what its key ends with.
fn split_row(key: &[u8]) -> Option<(Holder, &[u8])> {
    let (owner, rest) = key.split_first_chunk::<16>()?;
    let (&found, item) = rest.split_first()?;
    if found != table::QUARANTINE {
        return None;
    }
    kept::name(item)?;
    let holder = if *owner == SITE { Holder::Site } else { Holder::Owner(OwnerId::from_bytes(*owner)) };
    Some((holder, item))
}

fn at<'a>(holder: &'a Holder, item: &'a [u8]) -> Location<'a> {
    Location { table: TABLE, owner: holder.place(), item }
}

fn tampered() {
    tracing::error!("a quarantined item does not open; it was altered");
}
