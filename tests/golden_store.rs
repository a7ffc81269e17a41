//! Data directories that earlier versions wrote: opened, filed on, and read exactly.
//!
//! `fixtures/store/format-N.zip` is a data directory of format N, `format-N.json` what has to be read from it once
//! the bodies in its journal are filed. `cargo test --test make_golden_store` makes those of today's format.

mod golden_support;

use std::{fs, path::Path};

use golden_support::{Folder, file, read};
use serde_json::Value;

#[track_caller]
fn check(format: u32) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/store");
    let folder = Folder::new();
    folder.unpack(&fixtures.join(format!("format-{format}.zip")));
    assert_eq!(fs::read_to_string(folder.data().join("FORMAT")).expect("a mark"), format!("studygate {format}\n"));
    let text = fs::read_to_string(fixtures.join(format!("format-{format}.json"))).expect("what is expected");
    let expected: Value = serde_json::from_str(&text).expect("JSON");

    let site = folder.open();
    assert_eq!(site.journal.backlog().0, 2, "a small and a large body wait in the journal");
    assert!(site.blobs.ids().expect("listed").len() >= 2, "a file of several packs, and a large record");
    assert_ne!(read(&site), expected);
    file(site);

    let site = folder.open();
    assert_eq!(site.journal.backlog().0, 0);
    assert_eq!(read(&site), expected);
}

#[test]
fn store_of_format_1_opens_files_its_journal_and_reads_as_it_was_written() {
    check(1);
}
