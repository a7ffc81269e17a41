//! Opens everything in a backup that the keys of its capsule open, each where it was sealed.
//!
//! What belongs to an owner whose keys a purge took from the capsule opens no more; that is told, and is no fault.

use std::collections::{BTreeMap, HashMap};

use crate::backup::frame::{Fault, Frame, Kind};
use crate::backup::head::Head;
use crate::backup::write::{owner_of, refused_file};
use crate::crypto::key::Key;
use crate::crypto::keyring::{KeysCopy, OwnerKeys};
use crate::crypto::seal::{Location, Tampered, open};
use crate::crypto::stream::{CHUNK_BYTES_MAX, CHUNK_OVERHEAD, HEADER_BYTES, StreamOpener};
use crate::model::id::{BlobId, OwnerId};
use crate::records::catalog::{head_of, split_row};
use crate::records::head::{Home, Lengths, PackId};
use crate::records::large::{KIND, MAGIC};
use crate::records::pack::{DATA, IDENTITY, INDEX};
use crate::records::read::LARGE;
use crate::store::engine::table;

const QUARANTINE: &str = "quarantine";

/// What was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// Rows.
    pub rows: u64,
    /// Parts of records, and pieces of files.
    pub parts: u64,
    /// Rows and files whose keys were destroyed since.
    pub destroyed: u64,
    /// Rows of a table that this version does not know.
    pub unknown: u64,
}

/// What a file is to hold, by its id.
enum Wanted {
    /// Sections of packs, by where they begin.
    Sections(BTreeMap<u64, Section>),
    /// An object of its own.
    Object(&'static str, OwnerIn),
}

#[derive(Clone, Copy)]
struct Section {
    owner: OwnerId,
    pack: PackId,
    lengths: Lengths,
}

/// Whose; none is the site.
type OwnerIn = Option<OwnerId>;

/// Opens frame after frame.
pub(super) struct Deep {
    keys: KeysCopy,
    head: Head,
    opened: Opened,
    wanted: HashMap<BlobId, Wanted>,
    file: Option<(BlobId, InFile)>,
}

/// A file that is being read.
enum InFile {
    Sections { sections: BTreeMap<u64, Section>, at: u64, bytes: Vec<u8> },
    Object(Box<Object>),
    Unwanted,
}

/// An object sealed chunk by chunk, as `records/large.rs` draws it.
struct Object {
    key: Key,
    table: &'static str,
    owner: OwnerIn,
    left: u64,
    bytes: Vec<u8>,
    opener: Option<StreamOpener>,
}

impl Deep {
    pub(super) fn new(keys: KeysCopy, head: Head) -> Self {
        Self { keys, head, opened: Opened::default(), wanted: HashMap::new(), file: None }
    }

    /// Opens what is in a frame.
    pub(super) fn frame(&mut self, frame: &Frame) -> Result<(), Fault> {
        let outcome = match frame.kind {
            Kind::Row => self.row(&frame.name, &frame.content),
            Kind::Audit => {
                let place = Location { table: "backup audit", owner: self.head.id.as_bytes(), item: &frame.name };
                self.opened.parts += 1;
                open(&self.keys.site().index, place, &frame.content).map(drop)
            }
            Kind::FilePiece => self.piece(frame, false),
            Kind::FileEnd => self.piece(frame, true),
            Kind::State | Kind::End => Ok(()),
        };
        outcome.map_err(|Tampered| Fault::Sealed)
    }

    /// What was opened; every file that a row names was there.
    pub(super) fn end(self) -> Result<Opened, Fault> {
        if self.wanted.is_empty() && self.file.is_none() { Ok(self.opened) } else { Err(Fault::Sealed) }
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<(), Tampered> {
        let (found, item) = key.get(16..).and_then(<[u8]>::split_first).ok_or(Tampered)?;
        match owner_of(key) {
            Some(owner) => {
                let Some(keys) = self.keys.owner(&owner) else {
                    self.opened.destroyed += 1;
                    return Ok(());
                };
                self.row_of_owner(owner, &keys, *found, key, value)
            }
            None => self.row_of_site(*found, item, value),
        }
    }

    fn row_of_site(&mut self, found: u8, item: &[u8], value: &[u8]) -> Result<(), Tampered> {
        let site = self.keys.site();
        let of_site = |table, item| Some((site.index.clone(), Location { table, owner: &[], item }));
        let owner = item.first_chunk::<16>();
        let keys = owner.and_then(|owner| self.keys.owner(&OwnerId::from_bytes(*owner)));
        let of_owner = |table, pick: fn(&OwnerKeys) -> Option<Key>| {
            let (owner, item) = item.split_at_checked(16)?;
            Some((pick(keys.as_deref()?)?, Location { table, owner, item }))
        };
        let data = |keys: &OwnerKeys| Some(keys.data.clone());
        let sealed = match found {
            table::STUDY if item.len() == 17 => of_site("retired", item),
            table::STUDY => of_site("study", item),
            table::TOMBSTONE => of_site("tombstone", item),
            table::PROGRESS => of_site("progress", &[]),
            table::PURGE => of_site("purge", item),
            table::EXPORT if item.len() == 20 => of_site("export terms", item),
            table::EXPORT => of_site("export", item),
            table::TOKEN => of_site("token", item),
            table::ESCROW => of_site("escrow", &[]),
            table::OBSERVED => of_site("observed", &[]),
            table::AUDIT => of_site("audit", &[]),
            table::BACKUP => of_site("backup", item),
            table::PARTICIPANT => of_owner("participant", data),
            table::LINKS => of_owner("links", |keys| keys.identity.clone()),
            table::HELD => of_owner("held", data),
            table::PERMISSION => of_owner("permission", data),
            table::HANDED_OUT => of_owner("handed out", data),
            table::QUARANTINE => {
                self.wants_refused(None, item, value);
                Some((site.quarantine.clone(), Location { table: QUARANTINE, owner: &[], item }))
            }
            _ => {
                self.opened.unknown += 1;
                return Ok(());
            }
        };
        let Some((key, place)) = sealed else {
            self.opened.destroyed += 1;
            return Ok(());
        };
        self.opened.rows += 1;
        open(&key, place, value).map(drop)
    }

    fn row_of_owner(
        &mut self,
        owner: OwnerId,
        keys: &OwnerKeys,
        found: u8,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), Tampered> {
        let item = &key[17..];
        let name = match found {
            table::PACK => return self.pack(owner, keys, key, value),
            table::PULL => "pull",
            table::PULL_STATE => "pull state",
            table::QUARANTINE => QUARANTINE,
            _ => {
                self.opened.unknown += 1;
                return Ok(());
            }
        };
        // What identifies is under the identity key, where its owner has one.
        let key = keys.identity.as_ref().unwrap_or(&keys.data);
        let place = Location { table: name, owner: owner.as_bytes(), item };
        match open(key, place, value) {
            Ok(_) => self.opened.rows += 1,
            // Retained data had an identity key, under which this was sealed.
            Err(Tampered) if keys.identity.is_none() => {
                self.opened.destroyed += 1;
                return Ok(());
            }
            Err(Tampered) => return Err(Tampered),
        }
        if found == table::QUARANTINE {
            self.wants_refused(Some(owner), item, value);
        }
        Ok(())
    }

    fn wants_refused(&mut self, owner: OwnerIn, item: &[u8], value: &[u8]) {
        if let Some(file) = refused_file(owner.as_ref(), item, value, &self.keys) {
            self.wanted.insert(file, Wanted::Object(QUARANTINE, owner));
        }
    }

    fn pack(&mut self, owner: OwnerId, keys: &OwnerKeys, key: &[u8], value: &[u8]) -> Result<(), Tampered> {
        let Some((_, pack, head)) = head_of(key, value, keys).map_err(|_| Tampered)? else { return Err(Tampered) };
        self.opened.rows += 1;
        for file in head.large {
            self.wanted.insert(file, Wanted::Object(LARGE, Some(owner)));
        }
        let section = Section { owner, pack, lengths: head.lengths };
        match head.home {
            Home::Row => {
                let (_, sections) = split_row(value).map_err(|_| Tampered)?;
                self.opened.parts += self.section(&section, sections)?;
            }
            Home::Blob(file, at) => {
                let wanted = self.wanted.entry(file).or_insert_with(|| Wanted::Sections(BTreeMap::new()));
                let Wanted::Sections(sections) = wanted else { return Err(Tampered) };
                sections.insert(at, section);
            }
        }
        Ok(())
    }

    /// Opens index, data and identity parts; returns how many.
    fn section(&self, section: &Section, bytes: &[u8]) -> Result<u64, Tampered> {
        let Section { owner, pack, lengths } = section;
        let keys = self.keys.owner(owner).ok_or(Tampered)?;
        let parts = [
            (INDEX, lengths.index, Some(&keys.data)),
            (DATA, lengths.data, Some(&keys.data)),
            (IDENTITY, lengths.identity, keys.identity.as_ref()),
        ];
        let (mut rest, mut count) = (bytes, 0);
        for (table, length, key) in parts {
            let part;
            (part, rest) = rest.split_at_checked(length as usize).ok_or(Tampered)?;
            if let Some(key) = key.filter(|_| length > 0) {
                open(key, Location { table, owner: owner.as_bytes(), item: &pack.0 }, part)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn piece(&mut self, frame: &Frame, last: bool) -> Result<(), Tampered> {
        let (id, length) = frame.name.split_first_chunk::<16>().ok_or(Tampered)?;
        let length = u64::from_be_bytes(length.try_into().map_err(|_| Tampered)?);
        let id = BlobId::from_bytes(*id);
        let mut file = match self.file.take() {
            Some((open, file)) if open == id => file,
            Some(_) => return Err(Tampered),
            None => self.begin(id, length),
        };
        match &mut file {
            InFile::Unwanted => self.opened.destroyed += u64::from(last),
            InFile::Object(object) => self.opened.parts += object.take(&id, &frame.content)?,
            InFile::Sections { sections, at, bytes } => {
                bytes.extend_from_slice(&frame.content);
                while let Some((&begins, section)) = sections.first_key_value() {
                    let from = usize::try_from(begins.checked_sub(*at).ok_or(Tampered)?).map_err(|_| Tampered)?;
                    let to = from + usize::try_from(section.lengths.all()).map_err(|_| Tampered)?;
                    let Some(found) = bytes.get(from..to) else { break };
                    self.opened.parts += self.section(section, found)?;
                    bytes.drain(..to);
                    *at += to as u64;
                    sections.pop_first();
                }
            }
        }
        match (last, file) {
            (false, file) => self.file = Some((id, file)),
            (true, InFile::Sections { sections, .. }) if !sections.is_empty() => return Err(Tampered),
            (true, InFile::Object(object)) if object.left > 0 || !object.bytes.is_empty() => return Err(Tampered),
            (true, _) => {}
        }
        Ok(())
    }

    fn begin(&mut self, id: BlobId, length: u64) -> InFile {
        match self.wanted.remove(&id) {
            Some(Wanted::Sections(sections)) => InFile::Sections { sections, at: 0, bytes: Vec::new() },
            Some(Wanted::Object(table, owner)) => {
                let key = match owner {
                    None => Some(self.keys.site().quarantine.clone()),
                    Some(owner) => self.keys.owner(&owner).map(|keys| match (table, &keys.identity) {
                        (QUARANTINE, Some(identity)) => identity.clone(),
                        _ => keys.data.clone(),
                    }),
                };
                let object = |key| Object { key, table, owner, left: length, bytes: Vec::new(), opener: None };
                key.map_or(InFile::Unwanted, |key| InFile::Object(Box::new(object(key))))
            }
            None => InFile::Unwanted,
        }
    }
}

impl Object {
    /// Opens the chunks that are whole with these bytes; returns how many.
    fn take(&mut self, id: &BlobId, more: &[u8]) -> Result<u64, Tampered> {
        self.bytes.extend_from_slice(more);
        let mut count = 0;
        loop {
            let Some(opener) = &mut self.opener else {
                let Some(start) = self.bytes.get(..MAGIC.len() + HEADER_BYTES) else { return Ok(count) };
                let owner = self.owner.as_ref().map_or(&[][..], |owner| owner.as_bytes());
                let place = Location { table: self.table, owner, item: id.as_bytes() };
                let header = start.strip_prefix(MAGIC).ok_or(Tampered)?;
                self.opener = Some(StreamOpener::new(&self.key, place, header)?);
                self.consumed(MAGIC.len() + HEADER_BYTES)?;
                continue;
            };
            let Some(length) = self.bytes.first_chunk::<4>() else { return Ok(count) };
            let length = u32::from_be_bytes(*length) as usize;
            if length > CHUNK_BYTES_MAX + CHUNK_OVERHEAD {
                return Err(Tampered);
            }
            let Some(chunk) = self.bytes.get(4..4 + length) else { return Ok(count) };
            let last = self.left == 4 + length as u64;
            opener.open(KIND, last, &mut chunk.to_vec())?;
            self.consumed(4 + length)?;
            count += 1;
        }
    }

    fn consumed(&mut self, bytes: usize) -> Result<(), Tampered> {
        self.bytes.drain(..bytes);
        self.left = self.left.checked_sub(bytes as u64).ok_or(Tampered)?;
        Ok(())
    }
}
