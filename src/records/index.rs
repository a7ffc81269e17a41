//! The index of a pack: one entry per record, written column by column so that it compresses.

use crate::model::{
    id::BlobId,
    summary::{KNOWN, SummaryType},
    time::UnixSeconds,
};
use crate::records::codec::{Cursor, put_bytes, put_number, put_signed};

pub(super) const VERSION: u8 = 1;

/// Keyed digest of a natural key, or of a summaryId (then it is the record's pseudonym), under the owner's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest(pub [u8; 10]);

impl KeyDigest {
    /// Its text in datasets: 16 characters of base32, lower case.
    pub fn text(&self) -> String {
        let mut text = data_encoding::BASE32_NOPAD.encode(&self.0);
        text.make_ascii_lowercase();
        text
    }
}

/// Keyed digest of a record's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ContentDigest(pub [u8; 8]);

/// Where a part of a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the pack's section, uncompressed bytes from–length.
    Packed {
        /// The first byte.
        offset: u32,
        /// How many.
        length: u32,
    },
    /// In a file of its own.
    Large(BlobId),
}

/// What the index says of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The summary type.
    pub summary_type: SummaryType,
    /// The natural key.
    pub key: KeyDigest,
    /// The pseudonym of the summaryId; equal to the key for most types.
    pub record_id: KeyDigest,
    /// The content.
    pub digest: ContentDigest,
    /// The event time, where the record has one.
    pub start: Option<UnixSeconds>,
    /// The device's offset from UTC, in seconds, where the record has one.
    pub offset: Option<i32>,
    /// When it arrived.
    pub received: UnixSeconds,
    /// Decides which version is current; higher wins, then the later arrival.
    pub rank: i64,
    /// The commit that brought it.
    pub sequence: u64,
    /// The data part.
    pub data: Place,
    /// The identity part, length 0 where it has none.
    pub identity: (u32, u32),
}

impl IndexEntry {
    /// Packs and sorted reads go by type, time and pseudonym.
    pub fn sort_key(&self) -> (&SummaryType, Option<UnixSeconds>, KeyDigest, u64) {
        (&self.summary_type, self.start, self.record_id, self.sequence)
    }

    /// The later of two versions of a record in this sense is the current one.
    pub fn currency(&self) -> (i64, UnixSeconds, u64) {
        (self.rank, self.received, self.sequence)
    }
}

/// The entries as bytes, to be compressed and sealed.
pub fn encode(entries: &[IndexEntry]) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_number(&mut out, entries.len() as u64);
    let mut others: Vec<&str> = Vec::new();
    for entry in entries {
        match &entry.summary_type {
            SummaryType::Known(place) => put_number(&mut out, u64::from(*place)),
            SummaryType::Other(name) => {
                let at = others.iter().position(|other| *other == &**name).unwrap_or_else(|| {
                    others.push(name);
                    others.len() - 1
                });
                put_number(&mut out, 256 + at as u64);
            }
        }
    }
    put_number(&mut out, others.len() as u64);
    others.iter().for_each(|name| put_bytes(&mut out, name.as_bytes()));
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.key.0));
    entries.iter().for_each(|entry| out.push(u8::from(entry.record_id != entry.key)));
    entries
        .iter()
        .filter(|entry| entry.record_id != entry.key)
        .for_each(|entry| out.extend_from_slice(&entry.record_id.0));
    entries.iter().for_each(|entry| out.extend_from_slice(&entry.digest.0));
    column(&mut out, entries, |entry| entry.start.map(|time| time.0));
    column(&mut out, entries, |entry| entry.offset.map(i64::from));
    column(&mut out, entries, |entry| Some(entry.received.0));
    column(&mut out, entries, |entry| Some(entry.rank));
    column(&mut out, entries, |entry| Some(entry.sequence as i64));
    for entry in entries {
        match entry.data {
            Place::Packed { offset, length } => {
                put_number(&mut out, u64::from(length) + 1);
                put_number(&mut out, u64::from(offset));
            }
            Place::Large(blob) => {
                put_number(&mut out, 0);
                out.extend_from_slice(blob.as_bytes());
            }
        }
    }
    for entry in entries {
        put_number(&mut out, u64::from(entry.identity.0));
        put_number(&mut out, u64::from(entry.identity.1));
    }
    out
}

/// The entries of these bytes; `None` where they are of another version or cut.
pub fn decode(bytes: &[u8]) -> Option<Vec<IndexEntry>> {
    let mut cursor = Cursor(bytes);
    if cursor.array()? != [VERSION] {
        return None;
    }
    let types = read_types(&mut cursor, bytes.len())?;
    let count = types.len();
    let keys: Vec<[u8; 10]> = (0..count).map(|_| cursor.array()).collect::<Option<_>>()?;
    let differs = cursor.slice(count)?;
    let mut record_ids = keys.clone();
    for (record_id, differs) in record_ids.iter_mut().zip(differs) {
        if *differs != 0 {
            *record_id = cursor.array()?;
        }
    }
    let digests: Vec<[u8; 8]> = (0..count).map(|_| cursor.array()).collect::<Option<_>>()?;
    let starts = read_column(&mut cursor, count)?;
    let offsets = read_column(&mut cursor, count)?;
    let received = read_column(&mut cursor, count)?;
    let ranks = read_column(&mut cursor, count)?;
    let sequences = read_column(&mut cursor, count)?;
    let data: Vec<Place> = (0..count).map(|_| read_place(&mut cursor)).collect::<Option<_>>()?;
    let mut entries = Vec::with_capacity(count);
    for at in 0..count {
        let identity = (u32::try_from(cursor.number()?).ok()?, u32::try_from(cursor.number()?).ok()?);
        entries.push(IndexEntry {
            summary_type: types[at].clone(),
            key: KeyDigest(keys[at]),
            record_id: KeyDigest(record_ids[at]),
            digest: ContentDigest(digests[at]),
            start: starts[at].map(UnixSeconds),
            offset: offsets[at].and_then(|offset| i32::try_from(offset).ok()),
            received: UnixSeconds(received[at]?),
            rank: ranks[at]?,
            sequence: sequences[at]? as u64,
            data: data[at],
            identity,
        });
    }
    Some(entries)
}

/// The number of entries, at most `count_max`, and the type of each.
pub(super) fn read_types(cursor: &mut Cursor<'_>, count_max: usize) -> Option<Vec<SummaryType>> {
    let count = usize::try_from(cursor.number()?).ok().filter(|count| *count <= count_max)?;
    let places: Vec<u64> = (0..count).map(|_| cursor.number()).collect::<Option<_>>()?;
    let others: Vec<Box<str>> = (0..cursor.number()?)
        .map(|_| std::str::from_utf8(cursor.bytes()?).ok().map(Box::from))
        .collect::<Option<_>>()?;
    let summary_type = |place: u64| match u8::try_from(place) {
        // A newer version may know more types than this one.
        Ok(place) if usize::from(place) < KNOWN.len() => Some(SummaryType::Known(place)),
        Ok(_) => None,
        Err(_) => Some(SummaryType::Other(others.get(usize::try_from(place - 256).ok()?)?.clone())),
    };
    places.into_iter().map(summary_type).collect()
}

/// Differences to the entry before; a missing value is the number 0, others are 1 up.
fn column(out: &mut Vec<u8>, entries: &[IndexEntry], value: impl Fn(&IndexEntry) -> Option<i64>) {
    let mut before = 0_i64;
    for entry in entries {
        match value(entry) {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                put_signed(out, value.wrapping_sub(before));
                before = value;
            }
        }
    }
}

pub(super) fn read_column(cursor: &mut Cursor<'_>, count: usize) -> Option<Vec<Option<i64>>> {
    let mut before = 0_i64;
    (0..count)
        .map(|_| match cursor.array()? {
            [0] => Some(None),
            [_] => {
                before = before.wrapping_add(cursor.signed()?);
                Some(Some(before))
            }
        })
        .collect()
}

fn read_place(cursor: &mut Cursor<'_>) -> Option<Place> {
    match cursor.number()? {
        0 => Some(Place::Large(BlobId::from_bytes(cursor.array()?))),
        length => Some(Place::Packed {
            length: u32::try_from(length - 1).ok()?,
            offset: u32::try_from(cursor.number()?).ok()?,
        }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An entry that differs in every field from those of other numbers.
    pub(crate) fn entry(number: u8) -> IndexEntry {
        IndexEntry {
            summary_type: if number.is_multiple_of(2) {
                SummaryType::named("dailies")
            } else {
                SummaryType::named("beats")
            },
            key: KeyDigest([number; 10]),
            record_id: KeyDigest([number / 2; 10]),
            digest: ContentDigest([number; 8]),
            start: (!number.is_multiple_of(3)).then_some(UnixSeconds(1_700_000_000 - i64::from(number))),
            offset: (!number.is_multiple_of(5)).then_some(-3600),
            received: UnixSeconds(1_700_000_000 + i64::from(number)),
            rank: i64::from(number) - 100,
            sequence: u64::from(number),
            data: Place::Packed { offset: 9, length: u32::from(number) },
            identity: (3, u32::from(number)),
        }
    }

    #[test]
    fn index_survives_its_bytes() {
        let mut entries: Vec<_> = (0..200).map(entry).collect();
        entries[7].data = Place::Large(BlobId::from_bytes([7; 16]));
        assert_eq!(decode(&encode(&entries)).as_ref(), Some(&entries));
        assert_eq!(decode(&encode(&[])), Some(Vec::new()));
    }

    #[test]
    fn type_that_this_version_does_not_know_is_refused() {
        let newer = IndexEntry { summary_type: SummaryType::Known(u8::MAX), ..entry(1) };
        assert_eq!(decode(&encode(&[newer])), None);
    }

    #[test]
    fn cut_index_is_refused() {
        let bytes = encode(&[entry(1), entry(2)]);
        assert!((0..bytes.len()).all(|length| decode(&bytes[..length]).is_none()));
    }
}
