//! Merging: an owner's small packs become fewer ones, each of one month, in the order of their records' times.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use zstd::bulk::Compressor;

use crate::model::id::OwnerId;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::{Head, PackId};
use crate::records::index::{IndexEntry, Place};
use crate::records::pack::{Builder, Sealed, month};

/// A pack of this size, uncompressed, is merged no further.
const PACK_BYTES_FULL: u64 = 1 << 20;
/// So is one of so many records, however small: its filter stays well below the 64 KiB that a head may have.
const PACK_RECORDS_FULL: u32 = 16_384;
/// So is one with so many large records, whose files its head names.
const PACK_LARGE_FULL: usize = 1024;
/// How much one merge takes at most, uncompressed.
const MERGE_BYTES_MAX: u64 = 4 << 20;
/// How many records one merge takes at most.
const MERGE_RECORDS_MAX: u32 = 4 * PACK_RECORDS_FULL;
/// So many unmerged packs of an owner are merged.
const FRESH_PACKS_MAX: usize = 16;
/// So many merged packs of one month and level are merged again.
const MONTH_PACKS_MAX: usize = 8;

/// A pack and its head.
type Listed = (PackId, Arc<Head>);

/// The packs that should be merged next, oldest first; `None` where there are few enough.
pub fn plan(heads: &[(PackId, Arc<Head>)]) -> Option<Vec<PackId>> {
    let mut groups: BTreeMap<(u8, Option<i32>), Vec<&Listed>> = BTreeMap::new();
    for pack in heads.iter().filter(|(_, head)| !is_full(head)) {
        let month = if pack.1.level == 0 { None } else { pack.1.month };
        groups.entry((pack.1.level, month)).or_default().push(pack);
    }
    let due = groups
        .into_iter()
        .find(|((level, _), packs)| packs.len() >= if *level == 0 { FRESH_PACKS_MAX } else { MONTH_PACKS_MAX });
    let (_, packs) = due?;
    let (mut bytes, mut records) = (0, 0_u32);
    let taken = packs.into_iter().take_while(|(_, head)| {
        bytes += head.raw_bytes;
        records = records.saturating_add(head.count);
        bytes <= MERGE_BYTES_MAX && records <= MERGE_RECORDS_MAX
    });
    Some(taken.map(|(id, _)| *id).collect())
}

fn is_full(head: &Head) -> bool {
    head.raw_bytes >= PACK_BYTES_FULL || head.count >= PACK_RECORDS_FULL || head.large.len() >= PACK_LARGE_FULL
}

/// The records of these packs in new ones, one per month or more where one would be too full, sealed; `sequence` and `first_place` name them.
pub fn merge(
    catalog: &Catalog,
    owner: OwnerId,
    packs: &[PackId],
    sequence: u64,
    first_place: u32,
    compressor: &mut Compressor<'_>,
) -> Result<Vec<Sealed>, Error> {
    let keys = catalog.keys(&owner)?;
    let heads: BTreeMap<PackId, Arc<Head>> = catalog.heads(&owner).into_iter().collect();
    let mut level = 0;
    let mut sections = Vec::with_capacity(packs.len());
    let mut records: Vec<(usize, IndexEntry)> = Vec::new();
    for id in packs {
        let head = heads.get(id).ok_or(Error::NoKeys)?;
        level = level.max(head.level);
        let at = sections.len();
        records.extend(catalog.index(&owner, id, head)?.iter().map(|entry| (at, entry.clone())));
        sections.push((catalog.data_section(&owner, id)?, catalog.identity_section(&owner, id)?));
    }
    // A merge that a crash cut short left records in two packs: they become one again.
    let mut seen = HashSet::with_capacity(records.len());
    records.retain(|(_, entry)| seen.insert((entry.summary_type.clone(), entry.key, entry.digest)));
    records.sort_by(|(_, left), (_, right)| left.sort_key().cmp(&right.sort_key()));
    let mut months: BTreeMap<i32, Vec<Builder>> = BTreeMap::new();
    for (at, entry) in records {
        let (data, identity) = &sections[at];
        let (from, length) = (entry.identity.0 as usize, entry.identity.1 as usize);
        let identity =
            if identity.is_empty() { &[] } else { identity.get(from..from + length).ok_or(Error::Tampered)? };
        let builders = months.entry(month(&entry)).or_default();
        if !builders.last().is_some_and(has_room) {
            builders.push(Builder::default());
        }
        let Some(builder) = builders.last_mut() else { continue };
        match entry.data {
            Place::Packed { offset, length } => {
                let from = offset as usize;
                let part = data.get(from..from + length as usize).ok_or(Error::Tampered)?;
                builder.push(entry, part, identity);
            }
            Place::Large(blob) => builder.push_large(entry, blob, identity),
        }
    }
    let mut sealed = Vec::with_capacity(months.len());
    for (place, builder) in (first_place..).zip(months.into_values().flatten()) {
        let id = PackId::new(sequence, place);
        sealed.push(builder.seal(owner, &keys, id, level.saturating_add(1), compressor, &*catalog.rng)?);
    }
    Ok(sealed)
}

fn has_room(builder: &Builder) -> bool {
    builder.entries().len() < PACK_RECORDS_FULL as usize && builder.large() < PACK_LARGE_FULL
}
