//! Reading records: the index of a pack, the versions of a record, its parts.

use std::{cell::RefCell, collections::HashMap, io, sync::Arc, sync::PoisonError};

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use crate::crypto::key::Key;
use crate::crypto::seal::{self, Location};
use crate::model::id::OwnerId;
use crate::model::summary::SummaryType;
use crate::records::catalog::{Catalog, Error, pack_row, split_row};
use crate::records::head::{Head, Home, PackId};
use crate::records::index::{self, IndexEntry, KeyDigest, Place};
use crate::records::large;
use crate::records::occurrence::{self, Occurrence};
use crate::records::pack::{DATA, IDENTITY, INDEX};

/// Index entries kept in memory at most.
const CACHED_ENTRIES_MAX: usize = 20_000;
/// An index is far smaller than this, uncompressed.
const INDEX_BYTES_MAX: usize = 16 << 20;
/// The table name that large data parts are sealed for.
pub const LARGE: &str = "record";

/// When an index was last used, and the index.
type Cached = (u64, Arc<Vec<IndexEntry>>);

/// Indexes that were read lately.
#[derive(Default)]
pub struct IndexCache {
    held: HashMap<(OwnerId, PackId), Cached>,
    entries: usize,
    uses: u64,
}

/// The data parts of the pack read last, so that neighbours cost nothing.
#[derive(Default)]
pub struct Window {
    pack: Option<(OwnerId, PackId)>,
    bytes: Vec<u8>,
}

impl Window {
    /// How much it holds.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[derive(Clone, Copy)]
enum Section {
    Index,
    Data,
    Identity,
}

impl Catalog {
    /// The entries of a pack.
    pub fn index(&self, owner: &OwnerId, id: &PackId, head: &Head) -> Result<Arc<Vec<IndexEntry>>, Error> {
        if let Some(found) = self.cache.lock().unwrap_or_else(PoisonError::into_inner).find(owner, id) {
            return Ok(found);
        }
        let keys = self.keys(owner)?;
        let bytes = self.section(owner, id, head, Section::Index, &keys.data, INDEX_BYTES_MAX)?;
        let entries = Arc::new(index::decode(&bytes).ok_or(Error::Tampered)?);
        self.cache.lock().unwrap_or_else(PoisonError::into_inner).keep(*owner, *id, entries.clone());
        Ok(entries)
    }

    /// Hands when the records of a pack happened to `each`, without keeping its index in memory.
    pub fn occurrences(
        &self,
        owner: &OwnerId,
        id: &PackId,
        head: &Head,
        each: &mut dyn FnMut(&Occurrence<'_>),
    ) -> Result<(), Error> {
        let keys = self.keys(owner)?;
        let bytes = self.section(owner, id, head, Section::Index, &keys.data, INDEX_BYTES_MAX)?;
        occurrence::read(&bytes, each).ok_or(Error::Tampered)
    }

    /// Every held version of a record.
    pub fn versions(&self, owner: &OwnerId, wanted: &SummaryType, key: &KeyDigest) -> Result<Vec<IndexEntry>, Error> {
        let mut found = Vec::new();
        for (id, head) in self.heads(owner) {
            if head.bloom.may_hold(key) {
                let index = self.index(owner, &id, &head)?;
                found.extend(index.iter().filter(|entry| entry.key == *key && entry.summary_type == *wanted).cloned());
            }
        }
        Ok(found)
    }

    /// Every version of every record of an owner, with the pack it is in, oldest pack first. A version that a crash
    /// left in two packs is given once.
    pub fn entries(&self, owner: &OwnerId) -> Result<Vec<(PackId, IndexEntry)>, Error> {
        let mut found = Vec::new();
        for (id, head) in self.heads(owner) {
            found.extend(self.index(owner, &id, &head)?.iter().map(|entry| (id, entry.clone())));
        }
        let mut seen = std::collections::HashSet::with_capacity(found.len());
        found.retain(|(_, entry)| seen.insert((entry.summary_type.clone(), entry.key, entry.digest)));
        Ok(found)
    }

    /// Hands the data part of a record to `output` piece by piece.
    pub fn data(
        &self,
        owner: &OwnerId,
        id: &PackId,
        entry: &IndexEntry,
        window: &mut Window,
        output: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), Error> {
        match entry.data {
            Place::Packed { offset, length } => {
                if window.pack != Some((*owner, *id)) {
                    window.bytes = self.data_section(owner, id)?;
                    window.pack = Some((*owner, *id));
                }
                let from = offset as usize;
                let part = window.bytes.get(from..from + length as usize).ok_or(Error::Tampered)?;
                Ok(output(part)?)
            }
            Place::Large(blob) => {
                let keys = self.keys(owner)?;
                Ok(large::read(&self.blobs, blob, &keys.data, LARGE, owner.as_bytes(), output)?)
            }
        }
    }

    /// All data parts of a pack, one behind the other.
    pub fn data_section(&self, owner: &OwnerId, id: &PackId) -> Result<Vec<u8>, Error> {
        let head = self.head(owner, id)?;
        let keys = self.keys(owner)?;
        self.section(owner, id, &head, Section::Data, &keys.data, head.raw_bytes as usize)
    }

    /// All identity parts of a pack; empty where there are none or their key is destroyed.
    pub fn identity_section(&self, owner: &OwnerId, id: &PackId) -> Result<Vec<u8>, Error> {
        let head = self.head(owner, id)?;
        let keys = self.keys(owner)?;
        match &keys.identity {
            Some(key) if head.lengths.identity > 0 => {
                self.section(owner, id, &head, Section::Identity, key, head.raw_bytes as usize)
            }
            Some(_) | None => Ok(Vec::new()),
        }
    }

    fn head(&self, owner: &OwnerId, id: &PackId) -> Result<Arc<Head>, Error> {
        self.heads(owner).into_iter().find(|(found, _)| found == id).map(|(_, head)| head).ok_or(Error::NoKeys)
    }

    fn section(
        &self,
        owner: &OwnerId,
        id: &PackId,
        head: &Head,
        section: Section,
        key: &Key,
        bytes_max: usize,
    ) -> Result<Vec<u8>, Error> {
        let lengths = head.lengths;
        let (table, from, length) = match section {
            Section::Index => (INDEX, 0, lengths.index),
            Section::Data => (DATA, lengths.index, lengths.data),
            Section::Identity => (IDENTITY, lengths.index + lengths.data, lengths.identity),
        };
        let sealed = match head.home {
            Home::Blob(blob, offset) => self.blobs.read_at(blob, offset + u64::from(from), length as usize)?,
            Home::Row => {
                let value = self.engine.get(&pack_row(owner, id))?.ok_or(Error::Tampered)?;
                let (_, sections) = split_row(&value)?;
                let from = from as usize;
                sections.get(from..from + length as usize).ok_or(Error::Tampered)?.to_vec()
            }
        };
        let opened = seal::open(key, Location { table, owner: owner.as_bytes(), item: &id.0 }, &sealed)?;
        Ok(unpacked(&opened, bytes_max)?)
    }
}

/// What was compressed, with this thread's context: one costs more to make than a small pack to read. A frame says how
/// long its content is; one that is longer than `bytes_max` is an error.
fn unpacked(frame: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
    thread_local! {
        static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let told = zstd_safe::get_frame_content_size(frame).ok().flatten().and_then(|bytes| usize::try_from(bytes).ok());
    let room = told.map_or(bytes_max, |told| told.min(bytes_max));
    UNPACKER.with_borrow_mut(|unpacker| match unpacker {
        Some(unpacker) => unpacker.decompress(frame, room),
        none => none.insert(Decompressor::new()?).decompress(frame, room),
    })
}

impl IndexCache {
    fn find(&mut self, owner: &OwnerId, id: &PackId) -> Option<Arc<Vec<IndexEntry>>> {
        self.uses += 1;
        let (used, found) = self.held.get_mut(&(*owner, *id))?;
        *used = self.uses;
        Some(found.clone())
    }

    fn keep(&mut self, owner: OwnerId, id: PackId, entries: Arc<Vec<IndexEntry>>) {
        self.entries += entries.len();
        if let Some((_, before)) = self.held.insert((owner, id), (self.uses, entries)) {
            self.entries -= before.len();
        }
        while self.entries > CACHED_ENTRIES_MAX {
            let Some(oldest) = self.held.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key) else { break };
            self.forget(&oldest.0, &oldest.1);
        }
    }

    pub(crate) fn forget(&mut self, owner: &OwnerId, id: &PackId) {
        if let Some((_, gone)) = self.held.remove(&(*owner, *id)) {
            self.entries -= gone.len();
        }
    }
}
