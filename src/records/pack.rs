//! Packs in the making: records of one owner gathered, compressed, sealed.

use std::io;

use ring::rand::SecureRandom;
use zstd::bulk::Compressor;

use crate::crypto::{
    keyring::OwnerKeys,
    seal::{self, Location},
};
use crate::model::{id::BlobId, id::OwnerId, time::UnixSeconds};
use crate::records::bloom::Bloom;
use crate::records::head::{Head, Home, Lengths, PackId};
use crate::records::index::{self, IndexEntry, Place};

/// The table names that a pack's parts are sealed for.
pub const HEAD: &str = "pack.head";
/// The index.
pub const INDEX: &str = "pack.index";
/// The data parts.
pub const DATA: &str = "pack.data";
/// The identity parts.
pub const IDENTITY: &str = "pack.identity";

/// Records of one owner on their way into a pack.
#[derive(Debug, Default)]
pub struct Builder {
    entries: Vec<IndexEntry>,
    data: Vec<u8>,
    identity: Vec<u8>,
    large: Vec<BlobId>,
}

/// A pack whose sections are sealed and not yet written.
#[derive(Debug)]
pub struct Sealed {
    /// Its name.
    pub id: PackId,
    /// Its head; `home` is set when the sections are written.
    pub head: Head,
    /// Sealed index, data and identity, one behind the other.
    pub sections: Vec<u8>,
}

impl Builder {
    /// Adds a record whose parts are in memory. `entry` has its places set here.
    pub fn push(&mut self, mut entry: IndexEntry, data: &[u8], identity: &[u8]) {
        entry.data = Place::Packed { offset: length(&self.data), length: length(data) };
        self.data.extend_from_slice(data);
        self.push_entry(entry, identity);
    }

    /// Adds a record whose data part is in a file of its own.
    pub fn push_large(&mut self, mut entry: IndexEntry, blob: BlobId, identity: &[u8]) {
        entry.data = Place::Large(blob);
        self.large.push(blob);
        self.push_entry(entry, identity);
    }

    fn push_entry(&mut self, mut entry: IndexEntry, identity: &[u8]) {
        entry.identity = (length(&self.identity), length(identity));
        self.identity.extend_from_slice(identity);
        self.entries.push(entry);
    }

    /// The records gathered so far.
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// How many of them are in files of their own.
    pub fn large(&self) -> usize {
        self.large.len()
    }

    /// Bytes gathered so far.
    pub fn raw_bytes(&self) -> usize {
        self.data.len() + self.identity.len()
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The pack, compressed and sealed. Identity parts are left out where the owner has no identity key.
    pub fn seal(
        self,
        owner: OwnerId,
        keys: &OwnerKeys,
        id: PackId,
        level: u8,
        compressor: &mut Compressor<'_>,
        rng: &dyn SecureRandom,
    ) -> io::Result<Sealed> {
        let at = |table| Location { table, owner: owner.as_bytes(), item: &id.0 };
        let raw_bytes = self.raw_bytes() as u64;
        let index = compressor.compress(&index::encode(&self.entries))?;
        let mut sections = seal::seal(&keys.data, at(INDEX), &index, rng);
        let mut lengths = Lengths { index: length(&sections), ..Lengths::default() };
        let data = seal::seal(&keys.data, at(DATA), &compressor.compress(&self.data)?, rng);
        lengths.data = length(&data);
        sections.extend_from_slice(&data);
        if let Some(key) = keys.identity.as_ref().filter(|_| !self.identity.is_empty()) {
            let identity = seal::seal(key, at(IDENTITY), &compressor.compress(&self.identity)?, rng);
            lengths.identity = length(&identity);
            sections.extend_from_slice(&identity);
        }
        let head = Head {
            level,
            month: common_month(&self.entries),
            count: u32::try_from(self.entries.len()).expect("a pack is far smaller"),
            raw_bytes,
            home: Home::Row,
            lengths,
            large: self.large,
            bloom: Bloom::of(self.entries.iter().map(|entry| &entry.key)),
        };
        Ok(Sealed { id, head, sections })
    }
}

/// Months since 1970-01 of a record: of its event, else of its arrival.
pub fn month(entry: &IndexEntry) -> i32 {
    month_of(entry.start.unwrap_or(entry.received))
}

fn month_of(time: UnixSeconds) -> i32 {
    jiff::Timestamp::from_second(time.0).map_or(0, |time| {
        let date = time.to_zoned(jiff::tz::TimeZone::UTC);
        (i32::from(date.year()) - 1970) * 12 + i32::from(date.month()) - 1
    })
}

fn common_month(entries: &[IndexEntry]) -> Option<i32> {
    let first = month(entries.first()?);
    entries.iter().all(|entry| month(entry) == first).then_some(first)
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a section is far smaller")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn month_counts_from_1970() {
        assert_eq!(month_of(UnixSeconds(0)), 0);
        assert_eq!(month_of(UnixSeconds(1_793_509_200)), 56 * 12 + 10);
    }
}
