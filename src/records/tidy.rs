//! Tidying: packs that live on in files of which little else lives are written into new files, and the old ones go.
//!
//! A file holds packs of many owners. Where most of them have left, or their packs were merged away, what is left of
//! the others would keep all of it on the disk. Sections are copied as they are sealed; only heads, which say where the
//! sections are, are sealed anew. The new file is durable before a row names it, and rows may change one by one: both
//! files are whole until no row names the old one.
//!
//! Never: a file that goes while a row names it, or while somebody who listed its packs may read them.

use std::collections::HashSet;

use crate::model::id::BlobId;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::{Head, Home, PackId};
use crate::records::pack::Sealed;
use crate::store::engine::Batch;

/// So much may lie waste in a store's files whatever lives, in bytes.
pub const WASTE_ALLOWED_BYTES: u64 = 16 << 20;
/// And this part of what lives.
const WASTE_ALLOWED_PART: u64 = 4;
/// So much is copied at once, in bytes: filing waits while it is.
const COPIED_AT_ONCE_BYTES: u64 = 8 << 20;

/// What a file of packs takes, and what of it lives, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// All of it.
    pub bytes: u64,
    /// Sections of packs that are there.
    pub live: u64,
}

impl Use {
    /// What does not live.
    fn waste(self) -> u64 {
        self.bytes.saturating_sub(self.live)
    }
}

/// Whether files that take so much together are worth tidying, where so much waste is `allowed` beside a part of what
/// lives.
pub fn is_wasteful(all: Use, allowed: u64) -> bool {
    all.waste() > allowed + all.live / WASTE_ALLOWED_PART
}

/// The files to be written anew next: those with the least that lives for what they take, until the waste is allowed or
/// enough is to be copied; at least one where there is anything to gain.
pub fn plan(mut files: Vec<(BlobId, Use)>, allowed: u64) -> Vec<BlobId> {
    let mut all = files
        .iter()
        .fold(Use::default(), |sum, (_, file)| Use { bytes: sum.bytes + file.bytes, live: sum.live + file.live });
    let part = |file: &Use| u128::from(file.live) * u128::from(u32::MAX) / u128::from(file.bytes.max(1));
    files.sort_by_key(|(_, file)| part(file));
    let (mut planned, mut copied) = (Vec::new(), 0);
    for (blob, file) in files {
        let full = copied > 0 && copied + file.live > COPIED_AT_ONCE_BYTES;
        if !is_wasteful(all, allowed) || full || file.waste() == 0 {
            break;
        }
        all.bytes -= file.waste();
        copied += file.live;
        planned.push(blob);
    }
    planned
}

impl Catalog {
    /// Writes a part of what lives in wasteful files anew; nothing where there is little waste, or somebody reads. The
    /// caller is the one who writes records. Returns whether anything was done, so that more may be.
    pub fn tidy(&self, allowed: u64) -> Result<bool, Error> {
        if !is_wasteful(self.bundled(), allowed) {
            return Ok(false);
        }
        let Some(_settled) = self.settle() else { return Ok(false) };
        let planned: HashSet<BlobId> = plan(self.bundles(), allowed).into_iter().collect();
        if planned.is_empty() {
            return Ok(false);
        }
        let mut moved = Vec::new();
        for (owner, id, head) in self.packs_in(&planned) {
            moved.push((owner, self.lifted(id, &head)?));
        }
        self.commit(self.prepare(moved, Vec::new())?, Batch::default())?;
        tracing::debug!(files = planned.len(), "packs that live were taken out of files with much waste");
        Ok(true)
    }

    /// A pack with its sections as they lie in their file, each of whose tags is looked at when it is read.
    fn lifted(&self, id: PackId, head: &Head) -> Result<Sealed, Error> {
        let length = usize::try_from(head.lengths.all()).map_err(|_| Error::Tampered)?;
        let Home::Blob(blob, offset) = head.home else { return Err(Error::Tampered) };
        let sections = self.blobs.read_at(blob, offset, length)?;
        Ok(Sealed { id, head: head.clone(), sections })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn blob(number: u8) -> BlobId {
        BlobId::from_bytes([number; 16])
    }

    #[test]
    fn waste_is_allowed_up_to_a_quarter_of_what_lives_and_a_little() {
        let cases =
            [(0, 0, false), (16, 0, false), (17, 0, true), (100 + 25 + 16, 100, false), (100 + 25 + 17, 100, true)];
        for (bytes, live, expected) in cases {
            assert_eq!(is_wasteful(Use { bytes: bytes * MIB, live: live * MIB }, 16 * MIB), expected, "{bytes} {live}");
        }
    }

    #[test]
    fn emptiest_files_are_planned_first_and_no_more_than_needed() {
        let file = |number, bytes, live| (blob(number), Use { bytes: bytes * MIB, live: live * MIB });
        let plan = |files| plan(files, 16 * MIB);
        assert_eq!(plan(vec![]), []);
        assert_eq!(plan(vec![file(1, 20, 19), file(2, 20, 10)]), [], "the waste is allowed");
        assert_eq!(plan(vec![file(1, 40, 39), file(2, 40, 4), file(3, 40, 2)]), [blob(3), blob(2)]);
        let much = plan(vec![file(1, 60, 6), file(2, 60, 5), file(3, 60, 4)]);
        assert_eq!(much, [blob(3)], "the next does not fit beside it");
        assert_eq!(plan(vec![file(1, 90, 30), file(2, 90, 40)]), [blob(1)], "one at least");
    }
}
