//! The catalog over an engine in memory and real files: what is committed is read, what is altered is refused, what a
//! crash cut short is finished.

mod tampering;
mod tidying;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ring::digest::SHA256;
use ring::rand::SystemRandom;
use tempfile::TempDir;
use zstd::bulk::Compressor;

use crate::crypto::key::Key;
use crate::crypto::keyring::{Change, Keyring, OwnerKeys};
use crate::model::id::{BlobId, OwnerId};
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::records::catalog::{Catalog, Error};
use crate::records::head::{Home, PackId};
use crate::records::index::{ContentDigest, IndexEntry, KeyDigest, Place};
use crate::records::large::LargeWriter;
use crate::records::merge::{merge, plan};
use crate::records::pack::{Builder, month};
use crate::records::read::{LARGE, Window};
use crate::store::blobs::Blobs;
use crate::store::engine::Batch;
use crate::store::faulty::{Fault, Faulty};
use crate::store::memory::Memory;

const OWNER: OwnerId = OwnerId::from_bytes([1; 16]);
const OTHER: OwnerId = OwnerId::from_bytes([2; 16]);
/// 2026-11-01.
const START: i64 = 1_793_491_200;

struct Store {
    dir: TempDir,
    memory: Arc<Memory>,
    keyring: Arc<Keyring>,
}

/// A record: its number, its revision, the day it is of, its data.
type Written<'a> = (u8, u8, i64, &'a str);

impl Store {
    fn new() -> Store {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = dir.path().join("keyring");
        fs::create_dir(&keys).expect("a folder");
        let rng = Arc::new(SystemRandom::new());
        let keyring = Keyring::open(&keys, &Key::from_bytes([3; 32]), rng.clone()).expect("a keyring");
        let add = |owner| Change::Add(owner, OwnerKeys::random(&*rng));
        keyring.update(&[add(OWNER), add(OTHER)]).expect("keys");
        Store { dir, memory: Arc::default(), keyring: Arc::new(keyring) }
    }

    fn open(&self, fault: Fault) -> Result<Catalog, Error> {
        let engine = Arc::new(Faulty::new(Arc::clone(&self.memory), fault));
        let blobs = Arc::new(Blobs::open(&self.dir.path().join("blobs")).expect("a folder"));
        Catalog::open(engine, blobs, Arc::clone(&self.keyring), Arc::new(SystemRandom::new()), HashSet::new())
    }

    fn catalog(&self) -> Catalog {
        self.open(Fault::None).expect("it opens")
    }

    fn path(&self, blob: BlobId) -> PathBuf {
        let name = blob.to_string();
        self.dir.path().join("blobs").join(&name[..2]).join(name)
    }
}

fn entry((number, revision, day, _): Written<'_>, sequence: u64) -> IndexEntry {
    IndexEntry {
        summary_type: SummaryType::named(if number.is_multiple_of(2) { "dailies" } else { "beats" }),
        key: KeyDigest([number; 10]),
        record_id: KeyDigest([number; 10]),
        digest: ContentDigest([revision; 8]),
        start: Some(UnixSeconds(START + day * 86_400)),
        offset: None,
        received: UnixSeconds(START),
        rank: i64::from(revision),
        sequence,
        data: Place::Packed { offset: 0, length: 0 },
        identity: (0, 0),
    }
}

/// Commits one pack of these records.
fn commit(catalog: &Catalog, owner: OwnerId, sequence: u64, records: &[Written<'_>]) -> Result<(), Error> {
    let mut builder = Builder::default();
    for record in records {
        builder.push(entry(*record, sequence), record.3.as_bytes(), format!("i{}", record.0).as_bytes());
    }
    let keys = catalog.keys(&owner)?;
    let mut compressor = Compressor::new(1)?;
    let id = PackId::new(sequence, 0);
    let sealed = builder.seal(owner, &keys, id, 0, &mut compressor, &SystemRandom::new())?;
    catalog.commit(catalog.prepare(vec![(owner, sealed)], Vec::new())?, Batch::default())
}

/// All records of an owner as (number, revision, data, identity), in the dataset's order.
fn read(catalog: &Catalog, owner: OwnerId) -> Result<Vec<(u8, u8, String, String)>, Error> {
    let mut entries = catalog.entries(&owner)?;
    entries.sort_by(|(_, left), (_, right)| left.sort_key().cmp(&right.sort_key()));
    let mut window = Window::default();
    let mut found = Vec::new();
    for (pack, entry) in entries {
        let mut data = Vec::new();
        let mut keep = |piece: &[u8]| {
            data.extend_from_slice(piece);
            Ok(())
        };
        catalog.data(&owner, &pack, &entry, &mut window, &mut keep)?;
        let identity = catalog.identity_section(&owner, &pack)?;
        let (from, length) = (entry.identity.0 as usize, entry.identity.1 as usize);
        let identity = String::from_utf8_lossy(&identity[from..from + length]).into_owned();
        found.push((entry.key.0[0], entry.digest.0[0], String::from_utf8_lossy(&data).into_owned(), identity));
    }
    Ok(found)
}

/// Text that does not compress into a row.
fn long(seed: u64) -> String {
    let block = |number: u64| ring::digest::digest(&SHA256, &[seed.to_be_bytes(), number.to_be_bytes()].concat());
    (0..190).map(|number| HEXLOWER.encode(block(number).as_ref())).collect()
}

#[test]
fn what_was_committed_is_read_also_after_a_start_from_rows_and_from_files() {
    let store = Store::new();
    let (catalog, long) = (store.catalog(), long(1));
    commit(&catalog, OWNER, 1, &[(1, 1, 0, "{}"), (2, 1, 0, "{\"a\":1}")]).expect("committed");
    commit(&catalog, OWNER, 2, &[(3, 1, 1, &long)]).expect("committed");
    commit(&catalog, OTHER, 3, &[(1, 9, 1, "other")]).expect("committed");
    let homes: Vec<_> = catalog.heads(&OWNER).iter().map(|(_, head)| matches!(head.home, Home::Row)).collect();
    assert_eq!(homes, [true, false]);
    let before = read(&catalog, OWNER).expect("read");
    assert_eq!(before.len(), 3);
    assert!(before.contains(&(3, 1, long, "i3".to_owned())));
    drop(catalog);
    let catalog = store.catalog();
    assert_eq!(read(&catalog, OWNER).expect("read"), before);
    assert_eq!(read(&catalog, OTHER).expect("read"), [(1, 9, "other".to_owned(), "i1".to_owned())]);
    assert_eq!((catalog.count(&OWNER), catalog.sequence()), (3, 3));
}

#[test]
fn versions_of_a_record_are_found_in_every_pack_and_of_its_type_alone() {
    let store = Store::new();
    let catalog = store.catalog();
    commit(&catalog, OWNER, 1, &[(2, 1, 0, "a"), (4, 1, 0, "b")]).expect("committed");
    commit(&catalog, OWNER, 2, &[(2, 2, 0, "c")]).expect("committed");
    commit(&catalog, OTHER, 3, &[(2, 3, 0, "d")]).expect("committed");
    let revisions = |name: &str, key: u8| {
        let found = catalog.versions(&OWNER, &SummaryType::named(name), &KeyDigest([key; 10])).expect("read");
        found.iter().map(|entry| entry.digest.0[0]).collect::<Vec<_>>()
    };
    assert_eq!(revisions("dailies", 2), [1, 2]);
    assert_eq!(revisions("beats", 2), [] as [u8; 0]);
    assert_eq!(revisions("dailies", 6), [] as [u8; 0]);
}

/// Sixteen packs over three months, two of them with large records, one with a revision; all records.
fn sixteen(store: &Store) -> Vec<(u8, u8, String, String)> {
    let catalog = store.catalog();
    for pack in 0..16_u8 {
        let days = [i64::from(pack) * 5, 70 - i64::from(pack)];
        let text = format!("{{\"pack\":{pack}}}");
        let records = [(pack * 2, 1, days[0], text.as_str()), (pack * 2 + 1, 1, days[1], "{}"), (0, pack + 1, 0, "{}")];
        commit(&catalog, OWNER, u64::from(pack) + 1, &records).expect("committed");
    }
    let all = read(&catalog, OWNER).expect("read");
    assert_eq!(all.len(), 47, "the first pack has record 0 twice in one version");
    all
}

/// Merges what is due, as filing does.
fn merge_once(catalog: &Catalog, sequence: u64) -> Result<usize, Error> {
    let packs = plan(&catalog.heads(&OWNER)).expect("a merge is due");
    let mut compressor = Compressor::new(3)?;
    let merged = merge(catalog, OWNER, &packs, sequence, 0, &mut compressor)?;
    let count = merged.len();
    let sealed = merged.into_iter().map(|pack| (OWNER, pack)).collect();
    let removed = packs.into_iter().map(|pack| (OWNER, pack)).collect();
    catalog.commit(catalog.prepare(sealed, removed)?, Batch::default())?;
    Ok(count)
}

#[test]
fn merging_keeps_every_record_and_its_order_in_packs_of_one_month() {
    let store = Store::new();
    let all = sixteen(&store);
    let catalog = store.catalog();
    assert_eq!(merge_once(&catalog, 17).expect("merged"), 3, "November, December, January");
    assert!(plan(&catalog.heads(&OWNER)).is_none());
    for catalog in [catalog, store.catalog()] {
        assert_eq!(read(&catalog, OWNER).expect("read"), all);
        for (id, head) in catalog.heads(&OWNER) {
            let index = catalog.index(&OWNER, &id, &head).expect("an index");
            assert!(index.iter().all(|entry| Some(month(entry)) == head.month), "one month");
            assert!(index.is_sorted_by(|left, right| left.sort_key() <= right.sort_key()), "in order");
        }
    }
}

#[test]
fn merge_that_a_crash_interrupts_loses_and_doubles_nothing() {
    for fault in [Fault::Before(1), Fault::Halfway(1)] {
        let store = Store::new();
        let all = sixteen(&store);
        let failing = store.open(fault).expect("it opens");
        assert!(merge_once(&failing, 17).is_err());
        drop(failing);
        let catalog = store.catalog();
        assert_eq!(read(&catalog, OWNER).expect("read"), all, "{fault:?}");
        commit(&catalog, OWNER, 18, &[(200, 1, 0, "{}")]).expect("committed");
        let mut sequence = 19;
        for number in 0..16 {
            commit(&catalog, OWNER, sequence, &[(201, number, 0, "{}")]).expect("committed");
            sequence += 1;
        }
        while plan(&catalog.heads(&OWNER)).is_some() {
            merge_once(&catalog, sequence).expect("merged");
            sequence += 1;
        }
        assert_eq!(read(&catalog, OWNER).expect("read").len(), all.len() + 17, "{fault:?}");
    }
}

/// A sender may make records as small and as many as it likes: the head of a pack, its filter included, stays small.
#[test]
fn many_tiny_records_are_merged_into_packs_whose_heads_stay_small() {
    let store = Store::new();
    let catalog = store.catalog();
    let keys = catalog.keys(&OWNER).expect("keys");
    let mut compressor = Compressor::new(1).expect("a compressor");
    let (packs, records_each) = (16_u32, 5000_u32);
    for pack in 0..packs {
        let mut builder = Builder::default();
        for number in 0..records_each {
            let mut key = [0; 10];
            key[..4].copy_from_slice(&(pack * records_each + number).to_be_bytes());
            let one = IndexEntry { key: KeyDigest(key), record_id: KeyDigest(key), ..entry((0, 1, 0, ""), 1) };
            builder.push(one, b"{}", b"");
        }
        let id = PackId::new(u64::from(pack) + 1, 0);
        let sealed = builder.seal(OWNER, &keys, id, 0, &mut compressor, &SystemRandom::new()).expect("sealed");
        let prepared = catalog.prepare(vec![(OWNER, sealed)], Vec::new()).expect("prepared");
        catalog.commit(prepared, Batch::default()).expect("committed");
    }
    assert!(merge_once(&catalog, 17).expect("merged") > 1, "one pack would be too full");
    assert!(plan(&catalog.heads(&OWNER)).is_none());
    let found = store.catalog().entries(&OWNER).expect("an index");
    assert_eq!(found.len(), usize::try_from(packs * records_each).expect("few"));
}

#[test]
fn pack_of_large_records_alone_is_merged_like_others() {
    let store = Store::new();
    let catalog = store.catalog();
    let keys = catalog.keys(&OWNER).expect("keys");
    let mut compressor = Compressor::new(1).expect("a compressor");
    for number in 0..16_u8 {
        let (mut builder, id) = (Builder::default(), BlobId::from_bytes([number; 16]));
        let rng = SystemRandom::new();
        let mut writer =
            LargeWriter::new(&catalog.blobs, id, &keys.data, LARGE, OWNER.as_bytes(), &rng).expect("a file");
        let text = vec![number; 300_000];
        text.chunks(7000).for_each(|piece| writer.write(piece).expect("written"));
        builder.push_large(entry((number, 1, 0, ""), 1), writer.finish().expect("durable"), b"");
        let pack = PackId::new(u64::from(number) + 1, 0);
        let sealed = builder.seal(OWNER, &keys, pack, 0, &mut compressor, &rng).expect("sealed");
        let prepared = catalog.prepare(vec![(OWNER, sealed)], Vec::new()).expect("prepared");
        catalog.commit(prepared, Batch::default()).expect("committed");
    }
    merge_once(&catalog, 17).expect("merged");
    let found = store.catalog().entries(&OWNER).expect("an index");
    assert_eq!(found.len(), 16);
    for (pack, entry) in found {
        let (mut bytes, mut same) = (0, true);
        let mut keep = |piece: &[u8]| {
            bytes += piece.len();
            same &= piece.iter().all(|byte| *byte == entry.key.0[0]);
            Ok(())
        };
        catalog.data(&OWNER, &pack, &entry, &mut Window::default(), &mut keep).expect("read");
        assert_eq!((bytes, same), (300_000, true));
    }
}

#[test]
fn file_that_no_row_names_is_swept_at_the_start_and_named_ones_stay() {
    let store = Store::new();
    let catalog = store.catalog();
    commit(&catalog, OWNER, 1, &[(1, 1, 0, &long(1))]).expect("committed");
    drop(catalog);
    let failing = store.open(Fault::Before(1)).expect("it opens");
    assert!(commit(&failing, OWNER, 2, &[(2, 1, 0, &long(2))]).is_err());
    assert_eq!(failing.blobs.ids().expect("listed").len(), 2, "the crash left a file");
    drop(failing);
    let catalog = store.catalog();
    assert_eq!(catalog.blobs.ids().expect("listed").len(), 1);
    assert_eq!(read(&catalog, OWNER).expect("read").len(), 1);
}

#[test]
fn file_of_two_owners_goes_with_its_last_pack() {
    let store = Store::new();
    let catalog = store.catalog();
    let mut sealed = Vec::new();
    for owner in [OWNER, OTHER] {
        let mut builder = Builder::default();
        builder.push(entry((1, 1, 0, ""), 1), long(1).as_bytes(), b"");
        let keys = catalog.keys(&owner).expect("keys");
        let mut compressor = Compressor::new(1).expect("a compressor");
        let pack = builder.seal(owner, &keys, PackId::new(1, 0), 0, &mut compressor, &SystemRandom::new());
        sealed.push((owner, pack.expect("sealed")));
    }
    catalog.commit(catalog.prepare(sealed, Vec::new()).expect("prepared"), Batch::default()).expect("committed");
    let files = || catalog.blobs.ids().expect("listed").len();
    assert_eq!(files(), 1);
    let (records, bytes) = catalog.erase(&OWNER).expect("erased");
    assert_eq!((records, files()), (1, 1));
    assert!(bytes > 4000, "{bytes}");
    assert_eq!(read(&catalog, OTHER).expect("read").len(), 1);
    catalog.erase(&OTHER).expect("erased");
    assert_eq!(files(), 0);
    assert!(catalog.owners().is_empty());
}
