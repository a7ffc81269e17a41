//! The purge log: a sealed row per purge, which outlives it; in memory and in the engine.
//!
//! A row stands at `0·16 ‖ 'X' ‖ 8 id`, sealed under the index key for that place: one byte of version (1), then JSON.
//! What changes a purge commits its row together with the rows of the step, so that a start knows what is left to do.
//!
//! Never: a step whose beginning is not durable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crypto::key::{Key, Rng, random};
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{self, Location};
use crate::model::id::OwnerId;
use crate::store::engine::{Batch, Engine, SITE, row, table};
use crate::withdrawal::Failure;
use crate::withdrawal::record::{Purge, PurgeId};

const VERSION: u8 = 1;

/// Every purge, by id.
pub(super) struct PurgeLog {
    engine: Arc<dyn Engine>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    purges: Mutex<BTreeMap<PurgeId, Purge>>,
}

impl PurgeLog {
    /// The log as it is stored.
    pub(super) fn open(engine: Arc<dyn Engine>, keyring: Arc<Keyring>, rng: Arc<Rng>) -> Result<Self, Failure> {
        let log = Self { engine, keyring, rng, purges: Mutex::default() };
        let mut altered = false;
        let prefix = row(&SITE, table::PURGE, &[]);
        log.engine.scan(&prefix, &mut |key, sealed| {
            match read(&key[prefix.len()..], sealed, &log.keyring.site().index) {
                Some(purge) => {
                    log.purges().insert(purge.id, purge);
                }
                None => altered = true,
            }
            true
        })?;
        if altered { Err(Failure::Altered) } else { Ok(log) }
    }

    /// A name for a purge.
    pub(super) fn name(&self) -> PurgeId {
        PurgeId(random(&*self.rng))
    }

    /// The rows of these purges.
    pub(super) fn rows(&self, purges: &[Purge]) -> Batch {
        let mut batch = Batch::default();
        for purge in purges {
            let (key, sealed) = sealed(purge, &self.keyring.site().index, &*self.rng);
            batch.put(key, sealed);
        }
        batch
    }

    /// These purges are durable.
    pub(super) fn keep(&self, purges: &[Purge]) {
        let mut kept = self.purges();
        for purge in purges {
            kept.insert(purge.id, purge.clone());
        }
    }

    /// Makes these purges durable.
    pub(super) fn write(&self, purges: &[Purge]) -> Result<(), Failure> {
        if !purges.is_empty() {
            self.engine.commit(self.rows(purges))?;
            self.keep(purges);
        }
        Ok(())
    }

    /// Every purge that this holds for, the first that was asked for first.
    pub(super) fn all(&self, holds: impl Fn(&Purge) -> bool) -> Vec<Purge> {
        let mut found: Vec<_> = self.purges().values().filter(|purge| holds(purge)).cloned().collect();
        found.sort_by_key(|purge| (purge.times.requested, purge.id));
        found
    }

    /// The purge of this name.
    pub(super) fn find(&self, id: &PurgeId) -> Option<Purge> {
        self.purges().get(id).cloned()
    }

    /// The purge under way of an owner.
    pub(super) fn open_of(&self, owner: &OwnerId) -> Option<Purge> {
        self.purges().values().find(|purge| purge.owner == *owner && purge.is_open()).cloned()
    }

    fn purges(&self) -> MutexGuard<'_, BTreeMap<PurgeId, Purge>> {
        self.purges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The row of a purge: its key, and its value sealed under the index key.
pub fn sealed(purge: &Purge, index: &Key, rng: &Rng) -> (Vec<u8>, Vec<u8>) {
    let mut plain = vec![VERSION];
    serde_json::to_writer(&mut plain, purge).expect("a purge has text keys and whole numbers");
    (row(&SITE, table::PURGE, &purge.id.0), seal::seal(index, at(&purge.id), &plain, rng))
}

/// The purge of a row whose key ends so; none where it does not open.
pub fn read(item: &[u8], sealed: &[u8], index: &Key) -> Option<Purge> {
    let id = PurgeId(item.try_into().ok()?);
    let plain = seal::open(index, at(&id), sealed).ok()?;
    let (&VERSION, json) = plain.split_first()? else { return None };
    serde_json::from_slice(json).ok().filter(|purge: &Purge| purge.id == id)
}

fn at(id: &PurgeId) -> Location<'_> {
    Location { table: "purge", owner: &[], item: &id.0 }
}
