//! Activity files from the store, where each is a sealed file of its own, into an opened dataset.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;
mod golden_support;

use std::{collections::BTreeMap, sync::Arc};

use dataset_support::{opened, recipient, recorded, tree};
use golden_support::{Folder, NOW};
use ring::rand::SystemRandom;
use studygate::{
    app::site::Site,
    export::{job::Export, select::Scope},
    model::{
        id::{BlobId, OwnerId},
        participant::Window,
        study::{Keep, LocationRule, Rules},
        summary::SummaryType,
    },
    people::{
        decide::{participant::NewParticipant, study::NewStudy, study::StudyChange},
        refusal::Refusal,
    },
    records::{
        head::PackId,
        index::{ContentDigest, IndexEntry, KeyDigest, Place},
        large::LargeWriter,
        pack::Builder,
        read::LARGE,
    },
    store::engine::Batch,
};

const NAMES: &str = r#"{"summaryId":"x1-file","activityName":"Olterra Running","activityDescription":"with Marwood"}"#;
const RECORD_ID: KeyDigest = KeyDigest([7; 10]);

/// A site with a study that keeps files and names, and one participant in it.
fn site(folder: &Folder) -> (Site, OwnerId) {
    let site = folder.open();
    let rules = Rules { files: Keep::Keep, location: LocationRule::Keep, names: Keep::Keep, ..Rules::default() };
    let new = NewStudy { name: "S".into(), recipients: vec![recipient().as_str().to_owned()], rules };
    site.people.add_study(new, NOW).expect("a study");
    let window = Window { from: Some(NOW.plus(-86_400).into()), to: None };
    let new = NewParticipant { code: Some("S-1".into()), window, consent: None };
    let added = site.people.add_participant("S", new, None, NOW).expect("a participant");
    (site, added.id)
}

/// Stores a version of the one file record, as filing does.
fn store(site: &Site, owner: OwnerId, sequence: u64, description: &str, file: &[u8]) {
    let keys = site.keyring.owner(&owner).expect("keys");
    let id = BlobId::from_bytes([u8::try_from(sequence).expect("few"); 16]);
    let rng = SystemRandom::new();
    let mut large = LargeWriter::new(&site.blobs, id, &keys.data, LARGE, owner.as_bytes(), &rng).expect("a file");
    for piece in [description.as_bytes(), b"\n", file] {
        large.write(piece).expect("written");
    }
    let blob = large.finish().expect("durable");
    let entry = IndexEntry {
        summary_type: SummaryType::named("activityFiles"),
        key: RECORD_ID,
        record_id: RECORD_ID,
        digest: ContentDigest([u8::try_from(sequence).expect("few"); 8]),
        start: Some(NOW),
        offset: None,
        received: NOW.plus(i64::try_from(sequence).expect("few")),
        rank: 0,
        sequence,
        data: Place::Large(blob),
        identity: (0, 0),
    };
    let mut builder = Builder::default();
    builder.push_large(entry, blob, NAMES.as_bytes());
    let mut compressor = zstd::bulk::Compressor::new(1).expect("a compressor");
    let sealed = builder.seal(owner, &keys, PackId::new(sequence, 0), 0, &mut compressor, &rng).expect("sealed");
    let prepared = site.catalog.prepare(vec![(owner, sealed)], Vec::new()).expect("prepared");
    site.catalog.commit(prepared, Batch::default()).expect("committed");
    site.catalog.reached(sequence);
}

fn export(site: &Site, scope: Scope) -> BTreeMap<String, Vec<u8>> {
    let (people, catalog, keyring) = (Arc::clone(&site.people), Arc::clone(&site.catalog), Arc::clone(&site.keyring));
    let mut encrypted = Vec::new();
    Export::new(people, catalog, keyring, "S", scope, NOW)
        .expect("it may")
        .write(&mut encrypted, None)
        .expect("written");
    let dir = tempfile::tempdir().expect("a folder");
    tree(&opened(&encrypted, dir.path()).1)
}

#[test]
fn stored_file_comes_out_byte_for_byte_with_its_names() {
    let folder = Folder::new();
    let (site, owner) = site(&folder);
    let file = recorded(300_000);
    store(&site, owner, 1, r#"{"activity_id":"bbbbbbbbbbbbbbb2","fileType":"FIT"}"#, &file);
    let files = export(&site, Scope::default());
    let path = format!("files/S-1/{}.fit", RECORD_ID.text());
    assert!(files[&path] == file, "{} bytes of {}", files[&path].len(), file.len());
    let table = String::from_utf8_lossy(&files["data/activity_files.csv"]);
    for cell in ["bbbbbbbbbbbbbbb2", "FIT", "Olterra Running", "with Marwood", &path, "300000"] {
        assert!(table.contains(cell), "{cell}: {table}");
    }
    assert!(!table.contains("x1-file"));

    let rules = Rules { names: Keep::Keep, ..Rules::default() };
    let change = StudyChange { rules: Some(rules), recipients: None };
    site.people.set_study("S", |_| Ok::<_, Refusal>(change)).expect("taken");
    let files = export(&site, Scope::default());
    assert!(!files.keys().any(|path| path.starts_with("files/")));
    assert!(String::from_utf8_lossy(&files["data/activity_files.csv"]).contains("Olterra Running"));
}

#[test]
fn of_several_versions_the_latest_has_the_file_even_where_all_are_asked_for() {
    let folder = Folder::new();
    let (site, owner) = site(&folder);
    store(&site, owner, 1, r#"{"fileType":"FIT"}"#, b"earlier");
    store(&site, owner, 2, r#"{"fileType":"TCX"}"#, b"later");
    for revisions in [false, true] {
        let files = export(&site, Scope { revisions, ..Scope::default() });
        let kept: Vec<_> = files.iter().filter(|(path, _)| path.starts_with("files/")).collect();
        assert_eq!(kept, [(&format!("files/S-1/{}.tcx", RECORD_ID.text()), &b"later".to_vec())]);
        let lines = String::from_utf8_lossy(&files["raw/activityFiles.ndjson"]).lines().count();
        assert_eq!(lines, if revisions { 2 } else { 1 });
    }
}
