//! Quarantine: what has no readable owner or shape, kept sealed for a person to look at, for a while.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::crypto::digest::DigestKey;
use crate::crypto::key::{Key, Rng, random};
use crate::crypto::seal::{self, Location, Tampered};
use crate::journal::Position;
use crate::model::{id::BlobId, time::UnixSeconds};
use crate::records::large::LargeWriter;
use crate::store::blobs::Blobs;
use crate::store::engine::{self, Batch, Engine, SITE, row, table};

/// Items up to this size stay in the row.
const ROW_BYTES_MAX: u64 = 3072;
const TABLE: &str = "quarantine";
/// So many items are kept at most, and so many bytes of them; what comes after is dropped, loudly.
const ITEMS_MAX: u64 = 10_000;
const BYTES_MAX: u64 = 1 << 30;

/// Why an item is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The item is no object.
    NotAnObject,
    /// The member of the notification is no array.
    NotAnArray,
    /// The item has no userId.
    Nobody,
    /// The callback URL of a ping leads elsewhere than to Garmin.
    RefusedCallback,
    /// A pulled file is not what it was announced as.
    UnexpectedFile,
    /// More pings wait than the gateway takes.
    TooManyPulls,
    /// The item's userId or a key field is twice there, too long, or of another type.
    Unreadable,
}

/// A quarantined item as stored, sealed under the site's quarantine key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// The version of this form.
    pub version: u8,
    /// When it arrived.
    pub received: UnixSeconds,
    /// The client it came for.
    pub client: String,
    /// The member it stood in.
    pub member: String,
    /// Why it is here.
    pub reason: Reason,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its text, where it is small.
    pub text: Option<String>,
    /// Its file, where it is not.
    pub blob: Option<BlobId>,
}

/// Where quarantined items are put and found.
pub struct Quarantine {
    engine: Arc<dyn Engine>,
    blobs: Arc<Blobs>,
    rng: Arc<Rng>,
    key: Key,
    names: DigestKey,
    kept: Mutex<Kept>,
}

/// What is in quarantine.
#[derive(Clone, Copy, Default)]
struct Kept {
    items: u64,
    bytes: u64,
    full: bool,
}

/// A quarantined item and its row.
pub struct Listed {
    /// The row's key.
    pub row: Vec<u8>,
    /// The item.
    pub item: Quarantined,
}

impl Quarantine {
    /// The site's quarantine.
    pub fn open(
        engine: Arc<dyn Engine>,
        blobs: Arc<Blobs>,
        rng: Arc<Rng>,
        key: Key,
    ) -> Result<Quarantine, engine::Error> {
        let names = DigestKey::new(&key, "quarantine name");
        let quarantine = Self { engine, blobs, rng, key, names, kept: Mutex::default() };
        quarantine.recount()?;
        Ok(quarantine)
    }

    /// Adds an item: `read` hands over its bytes once. `origin` names it by its place in the journal, so that it
    /// stands here once however often its body is filed. Returns how long its row is; 0
    /// where it stands already or there is no room left.
    pub fn put(
        &self,
        batch: &mut Batch,
        origin: (Position, u64),
        mut item: Quarantined,
        read: impl FnOnce(&mut dyn FnMut(&[u8])),
    ) -> io::Result<usize> {
        let (Position(position), offset) = origin;
        let digest = self.names.digest(&[&position.to_be_bytes(), &offset.to_be_bytes()]);
        let name = &digest[..16];
        let key = row(&SITE, table::QUARANTINE, name);
        let stands = self.engine.get(&key).map_err(io::Error::other)?.is_some();
        if stands || !self.admit(item.bytes) {
            return Ok(0);
        }
        if item.bytes <= ROW_BYTES_MAX {
            let mut text = Vec::with_capacity(usize::try_from(item.bytes).unwrap_or_default());
            read(&mut |piece| text.extend_from_slice(piece));
            item.text = Some(String::from_utf8_lossy(&text).into_owned());
        } else {
            let id = BlobId::from_bytes(random(&*self.rng));
            let mut writer = LargeWriter::new(&self.blobs, id, &self.key, TABLE, &[], &*self.rng)?;
            let mut outcome = Ok(());
            read(&mut |piece| {
                if outcome.is_ok() {
                    outcome = writer.write(piece);
                }
            });
            outcome?;
            item.blob = Some(writer.finish()?);
        }
        let value = serde_json::to_vec(&item).expect("plain values are written to memory");
        let sealed = seal::seal(&self.key, at(name), &value, &*self.rng);
        let length = sealed.len();
        batch.put(key, sealed);
        Ok(length)
    }

    /// Every item, in no order.
    pub fn list(&self) -> Result<Vec<Listed>, engine::Error> {
        let mut found = Vec::new();
        self.engine.scan(&row(&SITE, table::QUARANTINE, &[]), &mut |key, sealed| {
            match self.read(&key[17..], sealed) {
                Ok(item) => found.push(Listed { row: key.to_vec(), item }),
                Err(Tampered) => tracing::error!("a quarantined item does not open; it was altered"),
            }
            true
        })?;
        Ok(found)
    }

    /// How many items there are.
    pub fn items(&self) -> u64 {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).items
    }

    /// The files that items are in.
    pub fn files(&self) -> Result<HashSet<BlobId>, engine::Error> {
        Ok(self.list()?.into_iter().filter_map(|listed| listed.item.blob).collect())
    }

    /// Removes items that arrived before this time; returns how many.
    pub fn expire(&self, before: UnixSeconds) -> Result<usize, engine::Error> {
        let mut batch = Batch::default();
        let mut files = Vec::new();
        for Listed { row, item } in self.list()?.into_iter().filter(|listed| listed.item.received < before) {
            batch.delete(row);
            files.extend(item.blob);
        }
        let expired = batch.operations.len();
        if expired > 0 {
            self.engine.commit(batch)?;
        }
        for file in files {
            self.blobs.remove(file).map_err(|cause| engine::Error::Failed(Arc::new(cause)))?;
        }
        if expired > 0 {
            self.recount()?;
        }
        Ok(expired)
    }

    fn admit(&self, bytes: u64) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = kept.items < ITEMS_MAX && kept.bytes.saturating_add(bytes) <= BYTES_MAX;
        if room {
            kept.items += 1;
            kept.bytes += bytes;
        } else if !kept.full {
            kept.full = true;
            tracing::error!(items = kept.items, "the quarantine is full: what cannot be read is dropped; look at it");
        }
        room
    }

    fn recount(&self) -> Result<(), engine::Error> {
        let mut counted = Kept::default();
        for Listed { item, .. } in self.list()? {
            counted.items += 1;
            counted.bytes += item.bytes;
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = counted;
        Ok(())
    }

    fn read(&self, name: &[u8], sealed: &[u8]) -> Result<Quarantined, Tampered> {
        serde_json::from_slice(&seal::open(&self.key, at(name), sealed)?).map_err(|_| Tampered)
    }
}

fn at(name: &[u8]) -> Location<'_> {
    Location { table: TABLE, owner: &[], item: name }
}
