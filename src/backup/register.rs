//! The register of backups: a sealed row for each that was made, so that receipts can name those that a purge did not
//! reach.
//!
//! A row stands at `0·16 ‖ 'B' ‖ 16 id`, sealed under the index key for that place: one byte of version (1), then JSON.
//! One more, without an id, says which times a restore has undone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::backup::Failure;
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::Keyring;
use crate::crypto::seal::{self, Location};
use crate::model::id::BackupId;
use crate::model::time::UnixSeconds;
use crate::store::engine::{Batch, Engine, SITE, row, table};

const VERSION: u8 = 1;

/// A backup that was made, or is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Names it.
    pub id: BackupId,
    /// When it was begun.
    pub made: UnixSeconds,
    /// Its name in the folder of backups; none where it was handed out.
    pub file: Option<String>,
    /// Its length, once it is whole.
    pub bytes: Option<u64>,
    /// When it was last verified without a finding.
    pub verified: Option<UnixSeconds>,
}

/// A time that a restore has undone: backups made within it hold keys that the keyring never had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undone {
    /// The backup that was restored was begun then.
    pub from: UnixSeconds,
    /// It was restored then.
    pub to: UnixSeconds,
}

/// Every backup, by id.
pub(super) struct Register {
    engine: Arc<dyn Engine>,
    keyring: Arc<Keyring>,
    rng: Arc<Rng>,
    made: Mutex<BTreeMap<BackupId, Made>>,
    undone: Vec<Undone>,
}

impl Register {
    /// The register as it is stored.
    pub(super) fn open(engine: Arc<dyn Engine>, keyring: Arc<Keyring>, rng: Arc<Rng>) -> Result<Self, Failure> {
        let mut made = BTreeMap::new();
        let (mut altered, index) = (false, keyring.site().index.clone());
        let prefix = row(&SITE, table::BACKUP, &[]);
        let undone = undone(&*engine, &index)?;
        engine.scan(&prefix, &mut |key, sealed| {
            if key.len() == prefix.len() {
                return true;
            }
            let id = key[prefix.len()..].try_into().map(BackupId::from_bytes);
            let opened = id.ok().and_then(|id| {
                let plain = seal::open(&index, at(&id), sealed).ok()?;
                let (&VERSION, json) = plain.split_first()? else { return None };
                serde_json::from_slice::<Made>(json).ok().filter(|made| made.id == id)
            });
            match opened {
                Some(found) => {
                    made.insert(found.id, found);
                }
                None => altered = true,
            }
            true
        })?;
        if altered { Err(Failure::Altered) } else { Ok(Self { engine, keyring, rng, made: Mutex::new(made), undone }) }
    }

    /// Makes this durable.
    pub(super) fn put(&self, made: Made) -> Result<(), Failure> {
        let mut plain = vec![VERSION];
        serde_json::to_writer(&mut plain, &made).expect("text and numbers");
        let mut batch = Batch::default();
        let sealed = seal::seal(&self.keyring.site().index, at(&made.id), &plain, &*self.rng);
        batch.put(row(&SITE, table::BACKUP, made.id.as_bytes()), sealed);
        let mut kept = self.made();
        self.engine.commit(batch)?;
        kept.insert(made.id, made);
        Ok(())
    }

    /// The backup is gone.
    pub(super) fn remove(&self, id: &BackupId) -> Result<(), Failure> {
        let mut kept = self.made();
        if kept.contains_key(id) {
            let mut batch = Batch::default();
            batch.delete(row(&SITE, table::BACKUP, id.as_bytes()));
            self.engine.commit(batch)?;
            kept.remove(id);
        }
        Ok(())
    }

    /// Whether a backup that was begun then is of a time that a restore has undone.
    pub(super) fn is_undone(&self, made: UnixSeconds) -> bool {
        self.undone.iter().any(|undone| undone.from < made && made <= undone.to)
    }

    /// Every backup, the oldest first.
    pub(super) fn all(&self) -> Vec<Made> {
        let mut all: Vec<_> = self.made().values().cloned().collect();
        all.sort_by_key(|made| (made.made, made.id));
        all
    }

    fn made(&self) -> MutexGuard<'_, BTreeMap<BackupId, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The times that restores have undone.
pub(super) fn undone(engine: &dyn Engine, index: &Key) -> Result<Vec<Undone>, Failure> {
    let Some(sealed) = engine.get(&row(&SITE, table::BACKUP, &[]))? else { return Ok(Vec::new()) };
    let plain = seal::open(index, UNDONE, &sealed).map_err(|_| Failure::Altered)?;
    let json = plain.split_first().filter(|(version, _)| **version == VERSION).map(|(_, json)| json);
    json.and_then(|json| serde_json::from_slice(json).ok()).ok_or(Failure::Altered)
}

/// The row that says which times restores have undone.
pub(super) fn undone_row(undone: &[Undone], index: &Key, rng: &Rng) -> (Vec<u8>, Vec<u8>) {
    let mut plain = vec![VERSION];
    serde_json::to_writer(&mut plain, undone).expect("numbers");
    (row(&SITE, table::BACKUP, &[]), seal::seal(index, UNDONE, &plain, rng))
}

const UNDONE: Location<'static> = Location { table: "backup", owner: &[], item: &[] };

fn at(id: &BackupId) -> Location<'_> {
    Location { table: "backup", owner: &[], item: id.as_bytes() }
}
