//! What was handed out, opened: datasets as files, as rows, and taken in one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Site;
use crate::dataset::keyfile::Identities;
use crate::dataset::manifest::Manifest;
use crate::dataset::open::open;
use crate::dataset::tables::TABLES;
use crate::export::job::Export;
use crate::export::select::Scope;
use crate::model::study::Rules;
use crate::people::decide::study::NewStudy;
use crate::people::refusal::Refusal;

/// An opened dataset: its files by path.
pub(super) type Files = BTreeMap<String, Vec<u8>>;
/// Rows of tables and lines of `raw/`, by file, participant and record.
pub(super) type Rows = BTreeMap<(String, String, String), BTreeSet<String>>;

pub(super) fn site(rules: Rules) -> Site {
    let site = Site::new();
    let key = include_str!("../../../fixtures/dataset/made-up-key.txt");
    let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key");
    let new = NewStudy { name: "S".into(), recipients: vec![recipient.into()], rules };
    site.at().people.add_study(new, site.now()).expect("a study");
    site
}

pub(super) fn asked(site: &Site, scope: Scope) -> Result<Export, Refusal> {
    let at = site.at();
    let (people, catalog, keyring) = (Arc::clone(&at.people), Arc::clone(&at.catalog), Arc::clone(&at.keyring));
    Export::new(people, catalog, keyring, "S", scope, site.now())
}

/// The export's number and its files.
pub(super) fn export(site: &Site, scope: Scope) -> (u32, Files) {
    let mut encrypted = Vec::new();
    let completed = asked(site, scope).expect("it may").write(&mut encrypted, None).expect("written");
    let dir = tempfile::tempdir().expect("a folder");
    let (file, out) = (dir.path().join("x.age"), dir.path().join("out"));
    std::fs::write(&file, encrypted).expect("written");
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/dataset/made-up-key.txt");
    let identities = Identities::read(key.as_ref()).expect("a key file");
    let summary = open(&file, &identities, &out).expect("opened");
    let mut files = Files::new();
    for path in summary.files.iter().map(|file| file.path.as_str()).chain(["manifest.json", "SHA256SUMS"]) {
        files.insert(path.to_owned(), std::fs::read(out.join(path)).expect("a file"));
    }
    (completed.number, files)
}

pub(super) fn since(number: u32) -> Scope {
    Scope { since: Some(number), ..Scope::default() }
}

pub(super) fn as_of(number: u32) -> Scope {
    Scope { as_of: Some(number), ..Scope::default() }
}

pub(super) fn text<'a>(files: &'a Files, path: &str) -> &'a str {
    std::str::from_utf8(&files[path]).expect("text")
}

pub(super) fn manifest(files: &Files) -> Manifest {
    serde_json::from_slice(&files["manifest.json"]).expect("a manifest")
}

/// The lines of CHANGES.csv without their times, the header left out.
pub(super) fn changes(files: &Files) -> Vec<String> {
    let lines = text(files, "CHANGES.csv").lines().skip(1);
    lines.map(|line| line.rsplit_once(',').expect("a time").0.to_owned()).collect()
}

pub(super) fn rows(files: &Files) -> Rows {
    let mut rows = Rows::new();
    for path in files.keys() {
        if let Some(name) = path.strip_prefix("data/").and_then(|name| name.strip_suffix(".csv")) {
            for line in text(files, path).lines().skip(1) {
                let mut cells = line.split(',');
                let participant = cells.next().expect("a participant").to_owned();
                let record = if name == "participants" { "" } else { cells.next().expect("a record") };
                let key = (name.to_owned(), participant, record.to_owned());
                rows.entry(key).or_default().insert(line.to_owned());
            }
        } else if path.starts_with("raw/") {
            let file = path.trim_end_matches(".ndjson");
            for line in text(files, path).lines() {
                let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let member = |name: &str| value[name].as_str().expect("text").to_owned();
                let key = (file.to_owned(), member("participant"), member("record_id"));
                rows.entry(key).or_default().insert(line.to_owned());
            }
        } else if path.starts_with("files/") {
            let mut parts = path.split('/').skip(1);
            let participant = parts.next().expect("a participant").to_owned();
            let record = parts.next().and_then(|name| name.split('.').next()).expect("a record").to_owned();
            rows.entry(("files".to_owned(), participant, record)).or_default().insert(path.clone());
        }
    }
    rows
}

/// The files whose rows a table's lines in CHANGES.csv are about.
pub(super) fn places(table: &str) -> Vec<String> {
    let of_table = TABLES.iter().filter(|found| found.name == table).map(|found| found.summary_type);
    let raw = of_table.map(|name| format!("raw/{name}"));
    let files = (table == "activity_files").then(|| "files".to_owned());
    raw.chain(files).chain([table.to_owned()]).collect()
}

/// Takes an increment in, as its README.txt says.
pub(super) fn take_in(rows_before: &mut Rows, increment: &Files) {
    for line in changes(increment) {
        let cells: Vec<_> = line.split(',').collect();
        let (table, participant, record) = (cells[0], cells[1], cells[2]);
        if record.is_empty() {
            rows_before.retain(|(_, of, _), _| of != participant);
        } else {
            let places = places(table);
            rows_before.retain(|(place, of, id), _| of != participant || id != record || !places.contains(place));
        }
    }
    rows_before.retain(|(place, _, _), _| place != "participants");
    for (key, lines) in rows(increment) {
        rows_before.entry(key).or_default().extend(lines);
    }
}
