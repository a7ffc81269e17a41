//! The head of a pack: where its sections are, what they hold in outline. Heads of all packs stay in memory.

use crate::model::id::BlobId;
use crate::records::bloom::Bloom;
use crate::records::codec::{Cursor, put_bytes, put_number, put_signed};

const VERSION: u8 = 1;

/// Names a pack within its owner: a commit sequence number and a place in that commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackId(pub [u8; 12]);

impl PackId {
    /// The pack at this place of this commit.
    pub fn new(sequence: u64, place: u32) -> PackId {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&sequence.to_be_bytes());
        bytes[8..].copy_from_slice(&place.to_be_bytes());
        PackId(bytes)
    }

    /// The number of the commit that brought it.
    pub fn sequence(&self) -> u64 {
        u64::from_be_bytes(*self.0.first_chunk().expect("twelve bytes have a first eight"))
    }
}

/// Where the sections of a pack are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// Behind the head, in its row.
    Row,
    /// In a blob, from this byte on.
    Blob(BlobId, u64),
}

/// Lengths of the sealed sections, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lengths {
    /// The index.
    pub index: u32,
    /// The data parts.
    pub data: u32,
    /// The identity parts; 0 where there are none.
    pub identity: u32,
}

impl Lengths {
    /// All sections together.
    pub fn all(&self) -> u64 {
        u64::from(self.index) + u64::from(self.data) + u64::from(self.identity)
    }
}

/// The head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How often its records have been merged.
    pub level: u8,
    /// Months since 1970-01 of all its records, once they have been merged by month.
    pub month: Option<i32>,
    /// Records.
    pub count: u32,
    /// Bytes of their data and identity parts, uncompressed.
    pub raw_bytes: u64,
    /// Where the sections are.
    pub home: Home,
    /// How long they are.
    pub lengths: Lengths,
    /// Files of its large records.
    pub large: Vec<BlobId>,
    /// Filter of the natural keys.
    pub bloom: Bloom,
}

impl Head {
    /// The files that hold its sections and its large records.
    pub fn files(&self) -> impl Iterator<Item = BlobId> {
        let bundle = match self.home {
            Home::Blob(blob, _) => Some(blob),
            Home::Row => None,
        };
        self.large.iter().copied().chain(bundle)
    }
}

/// The head as bytes, to be sealed.
pub fn encode(head: &Head) -> Vec<u8> {
    let mut out = vec![VERSION, head.level];
    put_signed(&mut out, head.month.map_or(i64::MIN, i64::from));
    put_number(&mut out, u64::from(head.count));
    put_number(&mut out, head.raw_bytes);
    match head.home {
        Home::Row => out.push(0),
        Home::Blob(blob, offset) => {
            out.push(1);
            out.extend_from_slice(blob.as_bytes());
            put_number(&mut out, offset);
        }
    }
    for length in [head.lengths.index, head.lengths.data, head.lengths.identity] {
        put_number(&mut out, u64::from(length));
    }
    put_number(&mut out, head.large.len() as u64);
    head.large.iter().for_each(|blob| out.extend_from_slice(blob.as_bytes()));
    put_bytes(&mut out, head.bloom.as_bytes());
    out
}

/// The head of these bytes; `None` where they are of another version or cut.
pub fn decode(bytes: &[u8]) -> Option<Head> {
    let mut cursor = Cursor(bytes);
    let [version, level] = cursor.array()?;
    if version != VERSION {
        return None;
    }
    let month = cursor.signed()?;
    let count = u32::try_from(cursor.number()?).ok()?;
    let raw_bytes = cursor.number()?;
    let home = match cursor.array()? {
        [0] => Home::Row,
        [_] => Home::Blob(BlobId::from_bytes(cursor.array()?), cursor.number()?),
    };
    let mut length = || cursor.number().and_then(|length| u32::try_from(length).ok());
    let lengths = Lengths { index: length()?, data: length()?, identity: length()? };
    let large = (0..cursor.number()?).map(|_| cursor.array().map(BlobId::from_bytes)).collect::<Option<_>>()?;
    let bloom = Bloom::from_bytes(cursor.bytes()?)?;
    Some(Head { level, month: i32::try_from(month).ok(), count, raw_bytes, home, lengths, large, bloom })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::index::KeyDigest;

    #[test]
    fn head_survives_its_bytes() {
        let head = Head {
            level: 2,
            month: Some(681),
            count: 3,
            raw_bytes: 70_000,
            home: Home::Blob(BlobId::from_bytes([9; 16]), 4711),
            lengths: Lengths { index: 1, data: 2, identity: 0 },
            large: vec![BlobId::from_bytes([8; 16])],
            bloom: Bloom::of([KeyDigest([1; 10])].iter()),
        };
        assert_eq!(decode(&encode(&head)), Some(head.clone()));
        let unmerged = Head { month: None, home: Home::Row, ..head };
        assert_eq!(decode(&encode(&unmerged)), Some(unmerged));
    }
}
