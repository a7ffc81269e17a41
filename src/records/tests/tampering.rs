//! What somebody did to the disk: altered, cut or swapped rows and files are refused.

use std::fs;
use std::path::PathBuf;

use ring::rand::SystemRandom;

use super::{OTHER, OWNER, Store, commit, long, read};
use crate::crypto::key::Key;
use crate::model::id::{BlobId, OwnerId};
use crate::records::catalog::{Error, pack_row};
use crate::records::head::{Home, PackId};
use crate::records::large::{self, LargeWriter};
use crate::records::read::LARGE;
use crate::store::blobs::Blobs;
use crate::store::engine::{Batch, Engine};
use crate::store::faulty::Fault;
use crate::store::memory::Memory;

/// What reading everything of both owners comes to after this was done to the disk.
fn after(harm: impl FnOnce(&Store, &Memory)) -> Result<(), Error> {
    let store = Store::new();
    let catalog = store.catalog();
    for owner in [OWNER, OTHER] {
        commit(&catalog, owner, 1, &[(1, 1, 0, "{}")]).expect("committed");
        commit(&catalog, owner, 2, &[(2, 1, 0, &long(u64::from(owner.as_bytes()[0])))]).expect("committed");
    }
    drop(catalog);
    harm(&store, &store.memory);
    let catalog = store.open(Fault::None)?;
    read(&catalog, OWNER)?;
    read(&catalog, OTHER)?;
    Ok(())
}

fn value(memory: &Memory, owner: OwnerId, sequence: u64) -> Vec<u8> {
    memory.get(&pack_row(&owner, &PackId::new(sequence, 0))).expect("read").expect("a row")
}

fn put(memory: &Memory, owner: OwnerId, sequence: u64, value: Vec<u8>) {
    let mut batch = Batch::default();
    batch.put(pack_row(&owner, &PackId::new(sequence, 0)), value);
    memory.commit(batch).expect("written");
}

fn file_of(store: &Store, owner: OwnerId) -> PathBuf {
    let catalog = store.catalog();
    let heads = catalog.heads(&owner);
    let blob = heads.iter().find_map(|(_, head)| match head.home {
        Home::Blob(blob, _) => Some(blob),
        Home::Row => None,
    });
    store.path(blob.expect("a pack in a file"))
}

#[test]
fn untouched_store_reads() {
    after(|_, _| ()).expect("nothing was done to it");
}

#[test]
fn altered_cut_or_swapped_rows_are_refused() {
    let length = {
        let store = Store::new();
        commit(&store.catalog(), OWNER, 1, &[(1, 1, 0, "{}")]).expect("committed");
        value(&store.memory, OWNER, 1).len()
    };
    for at in (0..length).step_by(11).chain([0, 1, length - 1]) {
        let altered = after(|_, memory| {
            let mut row = value(memory, OWNER, 1);
            let at = at.min(row.len() - 1);
            row[at] ^= 1;
            put(memory, OWNER, 1, row);
        });
        assert!(matches!(altered, Err(Error::Tampered)), "byte {at}: {altered:?}");
    }
    for keep in [0, 1, 2, 40, length / 2, length - 1] {
        let cut = after(|_, memory| {
            let mut row = value(memory, OWNER, 1);
            row.truncate(keep);
            put(memory, OWNER, 1, row);
        });
        assert!(matches!(cut, Err(Error::Tampered)), "{keep} bytes: {cut:?}");
    }
    let of_another_owner = after(|_, memory| put(memory, OWNER, 1, value(memory, OTHER, 1)));
    assert!(matches!(of_another_owner, Err(Error::Tampered)), "{of_another_owner:?}");
    let of_another_pack = after(|_, memory| put(memory, OWNER, 2, value(memory, OWNER, 1)));
    assert!(matches!(of_another_pack, Err(Error::Tampered)), "{of_another_pack:?}");
}

#[test]
fn altered_cut_or_swapped_files_are_refused() {
    let altered = |at: usize| {
        after(|store, _| {
            let path = file_of(store, OWNER);
            let mut bytes = fs::read(&path).expect("read");
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1;
            fs::write(path, bytes).expect("written");
        })
    };
    for at in [100, 1000, 5000, usize::MAX] {
        assert!(matches!(altered(at), Err(Error::Tampered)), "byte {at}");
    }
    for keep in [0, 10, 3000] {
        let cut = after(|store, _| {
            let path = file_of(store, OWNER);
            let bytes = fs::read(&path).expect("read");
            fs::write(path, &bytes[..keep]).expect("written");
        });
        assert!(matches!(cut, Err(Error::Tampered)), "{keep} bytes: {cut:?}");
    }
    let swapped = after(|store, _| {
        let (one, other) = (file_of(store, OWNER), file_of(store, OTHER));
        let bytes = fs::read(&one).expect("read");
        fs::copy(&other, &one).expect("copied");
        fs::write(other, bytes).expect("written");
    });
    assert!(matches!(swapped, Err(Error::Tampered)), "{swapped:?}");
    let missing = after(|store, _| fs::remove_file(file_of(store, OWNER)).expect("removed"));
    assert!(matches!(missing, Err(Error::Io(_))), "{missing:?}");
}

#[test]
fn large_object_reads_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a folder");
    let blobs = Blobs::open(dir.path()).expect("a folder");
    let (key, id) = (Key::from_bytes([5; 32]), BlobId::from_bytes([6; 16]));
    let text: String = (0..20).map(long).collect();
    let mut writer = LargeWriter::new(&blobs, id, &key, LARGE, b"o", &SystemRandom::new()).expect("a file");
    text.as_bytes().chunks(777).for_each(|piece| writer.write(piece).expect("written"));
    writer.finish().expect("durable");
    let read = |blobs: &Blobs, id, owner: &[u8]| {
        let mut found = Vec::new();
        let mut keep = |piece: &[u8]| {
            found.extend_from_slice(piece);
            Ok(())
        };
        large::read(blobs, id, &key, LARGE, owner, &mut keep).map(|()| found)
    };
    assert_eq!(read(&blobs, id, b"o").expect("read"), text.as_bytes());
    assert!(matches!(read(&blobs, id, b"p"), Err(large::Error::Tampered)), "of another owner");
    let name = id.to_string();
    let path = dir.path().join(&name[..2]).join(&name);
    let whole = fs::read(&path).expect("read");
    assert!(whole.len() > 100_000, "several chunks");
    let first_chunk = 4 + 34 + 4 + u32::from_be_bytes(whole[38..42].try_into().expect("four bytes")) as usize;
    for keep in [0, 3, 4, 37, 40, first_chunk, first_chunk + 2, whole.len() - 1] {
        fs::write(&path, &whole[..keep]).expect("written");
        assert!(matches!(read(&blobs, id, b"o"), Err(large::Error::Tampered)), "cut to {keep}");
    }
    for at in (0..whole.len()).step_by(4001).chain([0, 38]) {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        fs::write(&path, altered).expect("written");
        assert!(matches!(read(&blobs, id, b"o"), Err(large::Error::Tampered)), "byte {at}");
    }
    let moved = BlobId::from_bytes([7; 16]);
    let name = moved.to_string();
    fs::write(dir.path().join(&name[..2]).join(&name), whole).expect("written");
    assert!(matches!(read(&blobs, moved, b"o"), Err(large::Error::Tampered)), "under another name");
}
