//! What is opened, what is refused, and that a refusal leaves nothing behind.

#[allow(dead_code, reason = "each test file uses its own part of it")]
mod dataset_support;

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::Path,
};

use dataset_support::{Study, about, dataset, file, identities, opened, recipient, scratch, seed, tree};
use studygate::{
    crypto::key::Key,
    dataset::{
        keyfile::{Identities, generate},
        manifest::{Manifest, Signer},
        open::{Error, check, open},
        write::{Options, write},
    },
    model::{
        study::{Keep, LocationRule, Rules},
        time::UnixSeconds,
    },
};
use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

#[test]
fn every_recipient_opens_the_dataset_and_nobody_else() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut about = about(Rules::default());
    let keys: Vec<Identities> = (0..3)
        .map(|number| {
            let path = dir.path().join(format!("key-{number}.txt"));
            let recipient = generate(&path, UnixSeconds(0)).expect("made");
            if number < 2 {
                about.recipients.push(recipient);
            }
            Identities::read(&path).expect("read")
        })
        .collect();
    let written =
        write(&mut Study::made_up(), &about, &Options::default(), &scratch(), &seed(), Vec::new()).expect("written");
    let file = file(&written.output, dir.path());
    for (number, key) in keys[..2].iter().enumerate() {
        let summary = open(&file, key, &dir.path().join(format!("opened-{number}"))).expect("opened");
        assert_eq!(summary.files, written.files[..summary.files.len()]);
        assert_eq!(check(&file, key).expect("whole"), summary);
    }
    assert!(matches!(check(&file, &keys[2]), Err(Error::NoMatchingKey)));
    let refused = open(&file, &keys[2], &dir.path().join("opened-2")).expect_err("another key");
    assert!(matches!(refused, Error::NoMatchingKey), "{refused}");
    assert!(!dir.path().join("opened-2").exists());
}

#[test]
fn cut_or_altered_dataset_is_refused_and_leaves_nothing() {
    let whole = dataset(&mut Study::made_up(), Rules::default()).output;
    let mut cases = Vec::new();
    for place in (0..whole.len()).step_by(whole.len() / 40) {
        let mut altered = whole.clone();
        altered[place] ^= 1;
        cases.push(altered);
        cases.push(whole[..place].to_vec());
    }
    cases.push(whole[..whole.len() - 1].to_vec());
    cases.push([whole.as_slice(), b"x"].concat());
    for case in cases {
        refused_without_trace(&case);
    }
}

#[test]
fn what_the_site_did_not_sign_is_refused() {
    let altered_table = repacked(|files| {
        let table = files.iter_mut().find(|(name, _)| name == "data/activities.csv").expect("the table");
        table.1.push(b'x');
    });
    let altered_file = repacked(|files| {
        let file = files.iter_mut().find(|(name, _)| name.starts_with("files/")).expect("a file");
        file.1[1000] ^= 1;
    });
    let other_manifest = repacked(|files| {
        let manifest = files.iter_mut().find(|(name, _)| name == "manifest.json").expect("the manifest");
        manifest.1.push(b'\n');
    });
    let one_more = repacked(|files| files.push(("data/more.csv".into(), b"a\n".to_vec())));
    let one_less = repacked(|files| files.retain(|(name, _)| name != "codebook.csv"));
    let no_signature = repacked(|files| files.retain(|(name, _)| name != "manifest.sig"));
    let other_sums = repacked(|files| {
        let sums = files.iter_mut().find(|(name, _)| name == "SHA256SUMS").expect("the digests");
        sums.1[0] ^= 1;
    });
    for case in [altered_table, altered_file, other_manifest, one_more, one_less, no_signature, other_sums] {
        let refused = refused_without_trace(&case);
        assert!(matches!(refused, Error::Forged(_)), "{refused}");
    }
}

#[test]
fn file_outside_the_folder_is_refused_even_where_it_is_signed() {
    let signer = Signer::from_seed(&Key::from_bytes([1; 32]));
    let case = repacked(|files| {
        let place = files.iter().position(|(name, _)| name == "README.txt").expect("the page");
        files[place].0 = "../escaped.txt".into();
        let place = files.iter().position(|(name, _)| name == "manifest.json").expect("the manifest");
        let mut manifest: Manifest = serde_json::from_slice(&files[place].1).expect("a manifest");
        let page = manifest.files.iter_mut().find(|file| file.path == "README.txt").expect("the page");
        page.path = "../escaped.txt".into();
        manifest.site_key = signer.public_key();
        files[place].1 = serde_json::to_vec(&manifest).expect("a manifest");
        let signature = signer.sign(&files[place].1);
        files.iter_mut().find(|(name, _)| name == "manifest.sig").expect("the signature").1 = signature;
    });
    let refused = refused_without_trace(&case);
    assert!(matches!(refused, Error::Forged(_)), "{refused}");
}

#[test]
fn dataset_of_another_form_asks_for_a_newer_version() {
    let case = repacked(|files| {
        files.iter_mut().find(|(name, _)| name == "manifest.json").expect("the manifest").1 =
            br#"{"format":"studygate-dataset-2"}"#.to_vec();
    });
    let refused = refused_without_trace(&case);
    assert!(matches!(refused, Error::UnknownFormat), "{refused}");
}

#[test]
fn folder_in_use_is_refused_and_an_empty_one_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(&dataset(&mut Study::made_up(), Rules::default()).output, dir.path());
    let out = dir.path().join("out");
    fs::create_dir(&out).expect("made");
    open(&file, &identities(), &out).expect("an empty folder is taken");
    let before = tree(&out);
    let refused = open(&file, &identities(), &out).expect_err("in use");
    assert!(matches!(refused, Error::Occupied(_)), "{refused}");
    assert_eq!(tree(&out), before);
    let refused = open(&file, &identities(), &file).expect_err("a file");
    assert!(matches!(refused, Error::Occupied(_)), "{refused}");
}

#[cfg(unix)]
#[test]
fn opened_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let (_, out) = opened(&dataset(&mut Study::made_up(), Rules::default()).output, dir.path());
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&out), mode(&out.join("data"))), (0o700, 0o700));
    assert_eq!(mode(&out.join("data/cycle.csv")), 0o600);
}

#[test]
fn interrupted_export_opens_nowhere() {
    let mut study = Study::made_up();
    study.failing = Some("activityDetails");
    let mut output = Vec::new();
    write(&mut study, &about(Rules::default()), &Options::default(), &scratch(), &seed(), &mut output)
        .expect_err("the source fails");
    refused_without_trace(&output);
}

#[test]
fn file_that_is_no_dataset_is_named_as_such() {
    let refused = refused_without_trace(b"PK\x03\x04 not encrypted at all");
    assert!(matches!(refused, Error::NotEncrypted), "{refused}");
}

fn refused_without_trace(encrypted: &[u8]) -> Error {
    let dir = tempfile::tempdir().expect("a folder");
    let file = file(encrypted, dir.path());
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).expect("made");
    let refused = open(&file, &identities(), &inner.join("out")).expect_err("refused");
    let unverified = check(&file, &identities()).expect_err("refused, too");
    assert_eq!(unverified.to_string(), refused.to_string());
    assert!(tree(dir.path()).len() == 1, "something was left behind");
    assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 0);
    refused
}

/// The made-up study's dataset, opened, changed and encrypted again, as anybody who knows a recipient could.
fn repacked(change: impl FnOnce(&mut Vec<(String, Vec<u8>)>)) -> Vec<u8> {
    let rules = Rules { files: Keep::Keep, location: LocationRule::Keep, ..Rules::default() };
    let encrypted = dataset(&mut Study::made_up(), rules).output;
    let key_file = fs::read_to_string(dataset_support::fixtures().join("made-up-key.txt")).expect("the tests' key");
    let key: age::x25519::Identity =
        key_file.lines().find(|line| line.starts_with("AGE-")).expect("a key").parse().expect("a key");
    let plain = age::decrypt(&key, &encrypted).expect("decrypted");
    let mut zip = ZipArchive::new(Cursor::new(plain)).expect("a zip");
    let mut files: Vec<(String, Vec<u8>)> = (0..zip.len())
        .map(|place| {
            let mut file = zip.by_index(place).expect("a file");
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).expect("unpacked");
            (file.name().expect("a name").to_string(), bytes)
        })
        .collect();
    change(&mut files);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, SimpleFileOptions::default()).expect("started");
        zip.write_all(&bytes).expect("written");
    }
    let plain = zip.finish().expect("finished").into_inner();
    let recipient: age::x25519::Recipient = recipient().as_str().parse().expect("a recipient");
    age::encrypt(&recipient, &plain).expect("encrypted")
}
