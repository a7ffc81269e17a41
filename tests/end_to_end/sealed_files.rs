//! Sealed files that were tampered with, swapped or cut are refused: no dataset with other content comes out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::site::{Site, files_below};
use crate::{days, first_of};

/// A stopped site with two participants whose details are large enough for blobs of their own, and what was sent.
fn filled(seed: u64) -> (Site, Ledger) {
    let population = Population::new(seed, 2);
    let mut site = Site::new();
    site.add_study("SEALED", &["--unknown", "keep"]);
    site.add_participants("SEALED", &population);
    let mut ledger = Ledger::default();
    // First, so that no plain version of the details replaces the large ones.
    push(&site, &mut ledger, &population, &days(population.user(0), 2));
    for user in 0..2 {
        let mut details = first_of(&population, user, "activityDetails");
        let noise = studygate::simulate::random::Random::at(seed, &[user as u64]).hex(60_000);
        details.content.insert("note".to_owned(), noise.into());
        push(&site, &mut ledger, &population, &[details]);
    }
    let rows = site.export("SEALED").rows();
    assert_eq!(ledger.differences(&rows), Vec::<String>::new());
    site.stop();
    (site, ledger)
}

fn push(site: &Site, ledger: &mut Ledger, population: &Population, records: &[Record]) {
    let sending = ledger.sent(records);
    site.push(&Notification::of(population.users(), records).to_json());
    ledger.acknowledged(sending);
}

/// Starts the gateway over changed files: either it or the export refuses in words, or the dataset is as it was.
fn refused(site: &mut Site, ledger: &Ledger, what: &str) -> bool {
    let mut serve = site.serve_command();
    let log = fs::File::create(site.scratch("refusal.log")).expect("a log file");
    let mut gateway = serve.stderr(log).spawn().expect("the gateway starts");
    let refused = loop {
        if let Some(status) = gateway.try_wait().expect("a child of ours") {
            assert!(!status.success(), "{what}");
            break true;
        }
        if site.is_ready() {
            let file = site.scratch("changed.zip.age");
            let export = site.run(&["export", "--study", "SEALED", "-o", file.to_str().expect("UTF-8")]);
            if export.status.success() {
                let folder = site.scratch(&format!("changed-{}", what.replace(['/', ' '], "-")));
                let (key, file) = (site.key_path(), file.to_str().expect("UTF-8").to_owned());
                let key = key.to_str().expect("UTF-8");
                site.cli(&["dataset", "open", &file, "-i", key, "-o", folder.to_str().expect("UTF-8")]);
                let rows = crate::site::dataset::Dataset::at(folder).rows();
                assert_eq!(ledger.differences(&rows), Vec::<String>::new(), "{what}");
            } else {
                let told = String::from_utf8_lossy(&export.stderr).into_owned();
                assert!(!told.trim().is_empty() && !told.contains("panicked"), "{what}: {told}");
            }
            gateway.kill().expect("a child of ours");
            gateway.wait().expect("a child of ours");
            break !export.status.success();
        }
        std::thread::yield_now();
    };
    let told = fs::read_to_string(site.scratch("refusal.log")).unwrap_or_default();
    assert!(!told.contains("panicked"), "{what}: {told}");
    refused
}

/// The sealed blob files of a site, largest first.
fn blobs(site: &Site) -> Vec<PathBuf> {
    let mut found = files_below(&site.data_dir().join("blobs"));
    found.sort_by_key(|file| std::cmp::Reverse(file.metadata().map_or(0, |data| data.len())));
    assert!(found.len() >= 2, "two records are large enough for blobs");
    found
}

/// Applies a change, checks, and puts the file back.
fn with_change(file: &Path, change: impl FnOnce(&mut Vec<u8>), check: impl FnOnce()) {
    let whole = fs::read(file).expect("readable");
    let mut changed = whole.clone();
    change(&mut changed);
    fs::write(file, changed).expect("ours to change");
    check();
    fs::write(file, whole).expect("ours to change");
}

#[test]
fn tampered_and_truncated_blobs_are_refused() {
    let (mut site, ledger) = filled(951);
    let blob = blobs(&site).remove(0);
    for (what, change) in [
        ("a bit in the first bytes", (|bytes: &mut Vec<u8>| bytes[3] ^= 1) as fn(&mut Vec<u8>)),
        ("a bit in the middle", |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x40;
        }),
        ("a bit in the last byte", |bytes| *bytes.last_mut().expect("not empty") ^= 0x80),
        ("one byte missing at the end", |bytes| {
            bytes.pop();
        }),
        ("half of it missing", |bytes| bytes.truncate(bytes.len() / 2)),
        ("one byte too many", |bytes| bytes.push(0)),
    ] {
        with_change(&blob, change, || assert!(refused(&mut site, &ledger, what), "{what} went unseen"));
    }
    assert!(!refused(&mut site, &ledger, "nothing"), "the files as they were are taken");
}

#[test]
fn swapped_blobs_are_refused() {
    let (mut site, ledger) = filled(952);
    let blobs = blobs(&site);
    let (first, second) = (fs::read(&blobs[0]).expect("readable"), fs::read(&blobs[1]).expect("readable"));
    fs::write(&blobs[0], &second).expect("ours to change");
    fs::write(&blobs[1], &first).expect("ours to change");
    assert!(refused(&mut site, &ledger, "two blobs swapped"));
}

#[test]
fn tampered_keyring_and_slots_never_give_other_content() {
    let (mut site, ledger) = filled(953);
    let data = site.data_dir();
    let small: Vec<PathBuf> = fs::read_dir(&data)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && path.metadata().is_ok_and(|data| (1..1_000_000).contains(&data.len())))
        .collect();
    assert!(!small.is_empty(), "the keyring stands beside the store");
    for file in small {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        for place in [0, 1, 2, 3] {
            let what = format!("{name} changed at {place} of 4");
            let flip = |bytes: &mut Vec<u8>| {
                let at = (bytes.len() * place / 4).min(bytes.len() - 1);
                bytes[at] ^= 0x10;
            };
            with_change(&file, flip, || {
                refused(&mut site, &ledger, &what);
            });
        }
    }
}

#[test]
fn tampered_and_truncated_datasets_are_refused() {
    let population = Population::new(954, 1);
    let mut site = Site::new();
    site.add_study("SEALED", &[]);
    site.add_participants("SEALED", &population);
    site.push(&Notification::of(population.users(), &days(population.user(0), 1)).to_json());
    site.wait_until_filed();
    let (file, folder) = site.export_sealed("SEALED");
    let whole = fs::read(&file).expect("readable");
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    for changed in [flipped, whole[..middle].to_vec(), whole[..whole.len() - 1].to_vec()] {
        fs::write(&file, changed).expect("ours to change");
        let key = site.key_path();
        let arguments = [file.as_path(), Path::new("-i"), &key, Path::new("-o"), &folder];
        let open = site.studygate(&["dataset", "open"]).args(arguments).output().expect("the binary runs");
        assert!(!open.status.success());
        let told = String::from_utf8_lossy(&open.stderr).into_owned();
        assert!(!told.trim().is_empty() && !told.contains("panicked"), "{told}");
        assert!(!folder.join("manifest.json").exists(), "nothing of it is left");
    }
}
