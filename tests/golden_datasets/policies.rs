//! The golden datasets: one seeded simulation, filed once and kept as a data directory, exported under each policy.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use ring::digest::{SHA256, digest};
use serde_json::Value;
use studygate::{
    dataset::{format::Format, keyfile::Identities, open::open},
    export::{job::Export, select::Scope},
    model::{
        study::{DatesRule, Keep, LocationRule, Rules, Study},
        time::UnixSeconds,
    },
    people::{decide::study::StudyChange, refusal::Refusal},
    simulate::{
        file::FileOf,
        record::{Density, Record, day},
        user::{Population, User},
    },
};

use crate::golden_support::{Folder, NOW};

pub(crate) const STUDY: &str = "GOLDEN";
const SEED: u64 = 96;
/// The second of this seed's users is pregnant, the third logs cycles.
const USERS: usize = 3;
const DAYS: i64 = 2;
const DAY_S: i64 = 86_400;
const DENSITY: Density = Density { epochs: 2, samples: 4 };
/// The members of the manifest that another version or another moment writes otherwise.
const PASSING: [&str; 4] = ["software", "made_at", "audit", "files"];
/// Proofs of the other files; that they hold is proved by opening.
const PROOFS: [&str; 2] = ["SHA256SUMS", "manifest.sig"];

/// A policy and its name.
pub(crate) fn policies() -> Vec<(&'static str, Rules)> {
    let rules = Rules::default;
    let keep =
        Rules { location: LocationRule::Keep, names: Keep::Keep, files: Keep::Keep, unknown: Keep::Keep, ..rules() };
    vec![
        ("default", rules()),
        ("keep", keep),
        ("coarse", Rules { location: LocationRule::Coarse, names: Keep::Keep, ..rules() }),
        ("shift", Rules { dates: DatesRule::Shift, location: LocationRule::Coarse, ..rules() }),
        ("drop", Rules { devices: Keep::Drop, pregnancy: Keep::Drop, ..rules() }),
    ]
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dataset/golden")
}

/// The simulated users.
pub(crate) fn population() -> Population {
    Population::new(SEED, USERS)
}

/// Everything that is sent of them, and the files of their activities.
pub(crate) fn sent(users: &[User]) -> (Vec<Record>, Vec<FileOf>) {
    let midnight = NOW.0.div_euclid(DAY_S) * DAY_S - (DAYS + 1) * DAY_S;
    let days = |user| (0..DAYS).flat_map(move |number| day(user, UnixSeconds(midnight + number * DAY_S), DENSITY));
    let records: Vec<Record> = users.iter().flat_map(days).collect();
    let files = records.iter().filter_map(|record| FileOf::of(&users[record.user], record)).collect();
    (records, files)
}

/// The days of consent, and of the first second that the study collects.
pub(crate) const CONSENT_DATE: &str = "2026-10-01";
pub(crate) const WINDOW_DATE: &str = "2026-10-02";

/// A member that no version knows, beside those of a record: its value must not leave where unknown ones are dropped.
pub(crate) const NOVELTY: &str = "novel-and-unknown";

/// The golden text of every policy, by its name.
pub(crate) fn golden() -> Vec<(&'static str, String)> {
    let default = dataset(&Rules::default());
    let of = |(name, rules): (&'static str, Rules)| match name {
        "default" => (name, shown(&default, None)),
        _ => (name, shown(&dataset(&rules), Some(&default))),
    };
    policies().into_iter().map(of).collect()
}

/// The dataset of a policy, as it leaves.
pub(crate) fn encrypted(rules: &Rules, format: Format) -> Vec<u8> {
    let scope = Scope { format, ..Scope::default() };
    let folder = Folder::new();
    folder.unpack(&fixtures().join("store.zip"));
    let site = folder.open();
    let set = |_: &Study| Ok::<_, Refusal>(StudyChange { rules: Some(rules.clone()), recipients: None });
    site.people.set_study(STUDY, set).expect("rules that a study may have");
    let (people, catalog, keyring) = (Arc::clone(&site.people), Arc::clone(&site.catalog), Arc::clone(&site.keyring));
    let export = Export::new(people, catalog, keyring, STUDY, scope, NOW).expect("it may be written");
    let mut output = Vec::new();
    export.write(&mut output, None).expect("written");
    output
}

/// The opened dataset of a policy, made of the golden store: every file by its path.
pub(crate) fn dataset(rules: &Rules) -> BTreeMap<String, Vec<u8>> {
    let output = encrypted(rules, Format::Csv);
    let dir = tempfile::tempdir().expect("a folder");
    let (encrypted, opened) = (dir.path().join("dataset.zip.age"), dir.path().join("opened"));
    fs::write(&encrypted, output).expect("written");
    let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dataset/made-up-key.txt");
    open(&encrypted, &Identities::read(&key).expect("a key"), &opened).expect("it opens");
    let mut files = BTreeMap::new();
    collect(&opened, "", &mut files);
    files
}

fn collect(dir: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, fs::read(entry.path()).expect("a file"));
        }
    }
}

/// A dataset as one text: each file under its path, what is no text by its digest. What is the same in `common` is
/// named alone.
fn shown(files: &BTreeMap<String, Vec<u8>>, common: Option<&BTreeMap<String, Vec<u8>>>) -> String {
    let mut text = String::new();
    for (path, bytes) in files.iter().filter(|(path, _)| !PROOFS.contains(&path.as_str())) {
        if common.is_some_and(|common| common.get(path) == Some(bytes)) {
            writeln!(text, "=== {path}: as under default").expect("text");
            continue;
        }
        writeln!(text, "=== {path}").expect("text");
        match std::str::from_utf8(bytes) {
            Ok(content) if path == "manifest.json" => text.push_str(&lasting(content)),
            Ok(content) if path == "datapackage.json" => text.push_str(&without_digests(content)),
            Ok(content) if !path.starts_with("files/") => text.push_str(content),
            Ok(_) | Err(_) => {
                let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, bytes).as_ref());
                writeln!(text, "{} bytes, {sha256}", bytes.len()).expect("text");
            }
        }
    }
    text
}

/// What of a manifest lasts over versions and moments.
fn lasting(manifest: &str) -> String {
    let mut manifest: Value = serde_json::from_str(manifest).expect("JSON");
    let members = manifest.as_object_mut().expect("an object");
    PASSING.iter().for_each(|name| drop(members.remove(*name)));
    format!("{manifest:#}\n")
}

/// Names and labels of the package; lengths and digests follow from the files themselves.
fn without_digests(package: &str) -> String {
    let lines = package.lines().filter(|line| !line.contains("\"hash\":") && !line.contains("\"bytes\":"));
    lines.map(|line| format!("{line}\n")).collect()
}
