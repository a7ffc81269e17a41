//! The registry of every place that holds a person's data. Whatever stores something new of a person adds its place
//! here; a test fills all of them, purges, and finds each empty.

use std::sync::Arc;

use crate::model::id::{BlobId, OwnerId};
use crate::store::blobs::Blobs;
use crate::store::engine::{self, Batch, Engine, row, table};

/// How a place is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emptied {
    /// Rows under the owner's id: deleted before the keys.
    WithTheRecords(u8),
    /// Rows of the directory of people that bear the owner's id: deleted when the keys are gone.
    WithTheOwner(u8),
    /// Files that packs name: deleted with the packs.
    WithThePacks,
    /// Files that rows under the owner's id name: deleted with the rows.
    WithTheRows(u8),
    /// Bodies: filed before the purge, their files and keys gone with that.
    BeforeThePurge,
    /// Keys: destroyed with the epoch.
    WithTheEpoch,
    /// Items without a readable owner: nobody can say whose they are; they expire.
    ByExpiry(u8),
    /// Deliberately kept: keyed digests and codes that keep a person out and a code unique; nothing of a person.
    Kept(u8),
    /// Deliberately kept, in a file of its own: it says what was done to whom, by codes alone.
    KeptBesideTheStore,
}

/// A place that holds a person's data.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What is there.
    pub name: &'static str,
    /// How it is emptied.
    pub emptied: Emptied,
}

const fn place(name: &'static str, emptied: Emptied) -> Place {
    Place { name, emptied }
}

/// Every place.
pub const PLACES: &[Place] = &[
    place("participant", Emptied::WithTheOwner(table::PARTICIPANT)),
    place("links", Emptied::WithTheOwner(table::LINKS)),
    place("held connection", Emptied::WithTheOwner(table::HELD)),
    place("packs of records", Emptied::WithTheRecords(table::PACK)),
    place("pings to be pulled", Emptied::WithTheRecords(table::PULL)),
    place("how far pulls have come", Emptied::WithTheRecords(table::PULL_STATE)),
    place("permissions", Emptied::WithTheOwner(table::PERMISSION)),
    place("the participant as exports handed them out", Emptied::WithTheOwner(table::HANDED_OUT)),
    place("files of records", Emptied::WithThePacks),
    place("bodies in the journal", Emptied::BeforeThePurge),
    place("keys", Emptied::WithTheEpoch),
    place("refused items", Emptied::WithTheRecords(table::QUARANTINE)),
    place("files of refused items", Emptied::WithTheRows(table::QUARANTINE)),
    place("quarantine of what has no readable owner", Emptied::ByExpiry(table::QUARANTINE)),
    place("tombstones", Emptied::Kept(table::TOMBSTONE)),
    place("studies with their retired codes", Emptied::Kept(table::STUDY)),
    place("purges and their receipts", Emptied::Kept(table::PURGE)),
    place("exports that were handed out, and the codes in them", Emptied::Kept(table::EXPORT)),
    place("tokens of the API", Emptied::Kept(table::TOKEN)),
    place("how far filing has come", Emptied::Kept(table::PROGRESS)),
    place("backups that were made", Emptied::Kept(table::BACKUP)),
    place("the last head of the audit log", Emptied::Kept(table::AUDIT)),
    place("when the escrow of the root key was verified", Emptied::Kept(table::ESCROW)),
    place("what was seen of the traffic, of nobody", Emptied::Kept(table::OBSERVED)),
    place("the audit log, which names codes and what was done", Emptied::KeptBesideTheStore),
];

/// Deletes every row under the owner's id, and the files that rows of the quarantine name; returns how many rows. Needs
/// no key. Those rows of the directory of people that stand elsewhere go last, when the keys are gone.
pub fn erase_rows(engine: &dyn Engine, blobs: &Blobs, owner: &OwnerId) -> Result<usize, engine::Error> {
    erase_tables(engine, blobs, owner, &|_| true)
}

/// The same of what is sealed under the identity key: everything but the records, which are retained.
pub fn erase_identifying_rows(engine: &dyn Engine, blobs: &Blobs, owner: &OwnerId) -> Result<usize, engine::Error> {
    erase_tables(engine, blobs, owner, &|table| table != table::PACK)
}

/// How many rows of a table stand under this id.
pub(super) fn count_rows(engine: &dyn Engine, owner: &[u8; 16], table: u8) -> Result<u64, engine::Error> {
    let mut count = 0;
    engine.scan(&row(owner, table, &[]), &mut |_, _| {
        count += 1;
        true
    })?;
    Ok(count)
}

fn erase_tables(
    engine: &dyn Engine,
    blobs: &Blobs,
    owner: &OwnerId,
    goes: &dyn Fn(u8) -> bool,
) -> Result<usize, engine::Error> {
    let mut batch = Batch::default();
    let mut files = Vec::new();
    engine.scan(owner.as_bytes(), &mut |key, _| {
        if key.get(16).is_some_and(|table| goes(*table)) {
            files.extend(file_of(key));
            batch.delete(key.to_vec());
        }
        true
    })?;
    let count = batch.operations.len();
    if count > 0 {
        engine.commit(batch)?;
    }
    for file in files {
        blobs.remove(file).map_err(|cause| engine::Error::Failed(Arc::new(cause)))?;
    }
    Ok(count)
}

/// The file that the row of a refused item names behind its own name of 16 bytes.
fn file_of(key: &[u8]) -> Option<BlobId> {
    let (table, item) = key.get(16..)?.split_first()?;
    let file = item.get(16..).filter(|_| *table == table::QUARANTINE)?;
    Some(BlobId::from_bytes(file.try_into().ok()?))
}
