//! Backups through the real binary: made while it serves, verified, what purges do to them, restored elsewhere.

#[path = "site/mod.rs"]
mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use studygate::model::time::UnixSeconds;
use studygate::simulate::notification::Notification;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::Population;

use crate::site::dataset::Dataset;
use crate::site::{Site, code_of, files_below};

/// The first simulated day: 2026-11-01.
const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

fn records(population: &Population, days: i64) -> Vec<Record> {
    let of = |number: i64| move |user| day(user, MIDNIGHT.plus(number * 86_400), Density::default());
    (0..days).flat_map(|number| population.users().iter().flat_map(of(number)).collect::<Vec<_>>()).collect()
}

/// A site with a folder of backups, a study `S` and these participants, their first days pushed.
fn site(population: &Population) -> Site {
    let mut site = Site::stopped();
    let folder = backups(&site);
    site.edit_config(|text| format!("{text}\n[backup]\ndir = {folder:?}\n"));
    site.start();
    site.add_study("S", &[]);
    site.add_participants("S", population);
    site.push(&Notification::of(population.users(), &records(population, 3)).to_json());
    site
}

fn backups(site: &Site) -> PathBuf {
    site.scratch("backups")
}

/// The daily backup that a fresh gateway makes at once.
fn wait_for_daily(site: &Site) -> PathBuf {
    site::within_patience("the daily backup was verified", || {
        assert!(!site.log().contains("was not made"), "{}", site.log());
        site.metric("studygate_backup_verify_last_success_timestamp_seconds").is_some()
    });
    let found = files_below(&backups(site)).into_iter().find(|file| file.extension().is_some_and(|e| e == "sgbackup"));
    found.expect("a backup")
}

/// Another machine's site: its own configuration, with the root key of the first one.
fn elsewhere(site: &Site) -> Site {
    let other = Site::stopped();
    fs::copy(site.configured(&["keys", "root_key"]), other.configured(&["keys", "root_key"])).expect("a key");
    fs::copy(site.key_path(), other.key_path()).expect("the key of the datasets");
    other
}

fn exit(output: &Output) -> Option<i32> {
    output.status.code()
}

/// Every file of a dataset but those that say when it was made.
fn content(dataset: &Dataset) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = files_below(dataset.folder())
        .into_iter()
        .map(|path| (path.strip_prefix(dataset.folder()).expect("below it").to_owned(), fs::read(&path).expect("read")))
        .filter(|(name, _)| name.starts_with("data") || name.starts_with("raw") || name.starts_with("files"))
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    files
}

fn audited(site: &Site, act: &str) -> Vec<Value> {
    let listed = site.cli_json(&["audit", "list", "--act", act]);
    listed["entries"].as_array().cloned().expect("entries")
}

#[test]
fn restored_site_gives_the_same_dataset_and_goes_on() {
    let population = Population::new(811, 3);
    let mut first = site(&population);
    let backup = first.scratch("mine.sgbackup");
    let path = backup.to_str().expect("a path");
    first.cli(&["backup", "create", path]);
    let log = first.scratch("log");
    first.cli(&["backup", "purge-log", log.to_str().expect("a path")]);
    let before = content(&first.export("S"));
    let told = first.cli_json(&["backup", "verify", path]);
    assert!(told["opened"]["rows"].as_u64().is_some_and(|rows| rows > 10), "{told}");
    assert_eq!((told["opened"]["unknown"].as_u64(), told["opened"]["keys_destroyed"].as_u64()), (Some(0), Some(0)));

    let mut second = elsewhere(&first);
    let restored = second.cli_json(&["restore", path, "--purge-log", log.to_str().expect("a path")]);
    assert_eq!((&restored["forced"], &restored["rows_left_out"]), (&Value::Bool(false), &Value::from(0)));
    second.start();
    let (dataset, number) = (second.export("S"), 12);
    assert_eq!(content(&dataset), before);
    let manifest: Value =
        serde_json::from_slice(&fs::read(dataset.folder().join("manifest.json")).expect("read")).expect("JSON");
    assert!(manifest["number"].as_u64().is_some_and(|found| found >= number - 1), "no number comes twice: {manifest}");
    second.push(&Notification::of(population.users(), &records(&population, 4)).to_json());
    assert!(content(&second.export("S")) != before);
    assert!(second.cli_json(&["audit", "verify"])["findings"].as_array().is_some_and(Vec::is_empty));
    assert_eq!(audited(&second, "restored")[0]["details"]["forced"], Value::Bool(false));
    assert_eq!(audited(&first, "backup-made").len(), 2, "the daily one and this one");
    let again = second.run(&["restore", path, "--force"]);
    assert!(exit(&again) != Some(0), "a directory that holds data is left alone");
}

#[test]
fn backup_and_the_escrow_of_the_root_key_are_enough_on_other_hardware() {
    let population = Population::new(812, 2);
    let mut lost = site(&population);
    let (backup, log, escrow) = (lost.scratch("mine.sgbackup"), lost.scratch("log"), lost.scratch("escrow.age"));
    let [backup, log] = [&backup, &log].map(|path| path.to_str().expect("a path").to_owned());
    let identity = fs::read_to_string(lost.key_path()).expect("a key file");
    let identity: age::x25519::Identity = identity.trim().parse().expect("a key");
    let recipient = identity.to_public().to_string();
    lost.cli(&["keys", "escrow", "create", "--recipient", &recipient, "-o", escrow.to_str().expect("a path")]);
    lost.cli(&["backup", "create", &backup]);
    lost.cli(&["backup", "purge-log", &log]);
    let before = content(&lost.export("S"));

    let mut new = Site::stopped();
    let said = new.run(&["restore", &backup, "--purge-log", &log]);
    assert!(exit(&said) != Some(0), "another root key opens no backup");
    fs::copy(lost.key_path(), new.key_path()).expect("the key of the datasets");
    let sealed = fs::read(&escrow).expect("an escrow");
    let opened = age::decrypt(&identity, &sealed).expect("opened");
    fs::write(new.configured(&["keys", "root_key"]), opened).expect("installed");
    new.cli(&["restore", &backup, "--purge-log", &log]);
    new.start();
    assert_eq!(content(&new.export("S")), before);
}

#[test]
fn purged_participant_does_not_come_back_with_an_older_backup() {
    let population = Population::new(812, 2);
    let mut first = site(&population);
    let handed = first.scratch("handed.sgbackup");
    first.cli(&["backup", "create", handed.to_str().expect("a path")]);
    fs::create_dir_all(backups(&first)).expect("a folder");
    let within_reach = backups(&first).join("second.sgbackup");
    fs::copy(&handed, &within_reach).expect("copied");
    let body = Notification::of(population.users(), &records(&population, 4)).to_json();
    first.push(&Notification::new().deregistration(population.user(0)).to_json());
    let receipt = receipt(&first, &code_of(0));
    assert_eq!(receipt["backups_not_reached"], Value::Array(Vec::new()), "a file of it is within reach");
    let opened = first.cli_json(&["backup", "verify", within_reach.to_str().expect("a path")]);
    assert!(opened["opened"]["keys_destroyed"].as_u64().is_some_and(|rows| rows > 0), "{opened}");

    let log = purge_log(&backups(&first));
    let named = ["--purge-log", log.to_str().expect("a path")];
    for (backup, named, rows_are_left_out) in [(&within_reach, &[][..], true), (&handed, &named[..], true)] {
        let mut second = elsewhere(&first);
        let mut restore = vec!["restore", backup.to_str().expect("a path")];
        restore.extend(named);
        let told = second.cli_json(&restore);
        assert_eq!(told["purged"][0]["code"], Value::from(code_of(0)), "{told}");
        assert_eq!(told["rows_left_out"].as_u64().is_some_and(|rows| rows > 0), rows_are_left_out, "{told}");
        second.start();
        second.push(&body);
        let dataset = second.export("S");
        assert!(dataset.types().iter().all(|name| dataset.records(&code_of(0), name).is_empty()));
        assert_eq!(dataset.records(&code_of(1), "dailies").len(), 4);
        assert_eq!(receipt_of(&second, &code_of(0))["receipt"]["code"], Value::from(code_of(0)));
        assert_eq!(audited(&second, "purge-carried-out").len(), 1, "it is entered where it was carried out again");
        let again = second.run(&["participant", "add", "--study", "S", "--code", &code_of(0)]);
        assert!(exit(&again) != Some(0), "a code that was purged is not given again");
    }
    assert!(first.export("S").records(&code_of(1), "dailies").len() >= 3);
}

#[test]
fn restore_without_a_log_is_forced_and_entered() {
    let population = Population::new(813, 1);
    let first = site(&population);
    let handed = first.scratch("handed.sgbackup");
    let path = handed.to_str().expect("a path");
    first.cli(&["backup", "create", path]);
    let mut second = elsewhere(&first);
    let refused = second.run(&["restore", path]);
    assert_eq!(exit(&refused), Some(3), "{refused:?}");
    assert!(!second.data_dir().join("keyring").exists());
    let told = second.cli_json(&["restore", path, "--force"]);
    assert_eq!((&told["forced"], &told["purge_log_to"]), (&Value::Bool(true), &Value::Null));
    second.start();
    assert_eq!(audited(&second, "restored")[0]["details"]["forced"], Value::Bool(true));
    let wrong = Site::stopped();
    assert_eq!(exit(&wrong.run(&["restore", path, "--force"])), Some(78), "another root key");
}

#[test]
fn backup_out_of_reach_is_named_until_it_is_destroyed() {
    let population = Population::new(814, 1);
    let first = site(&population);
    wait_for_daily(&first);
    first.cli(&["backup", "create", first.scratch("handed.sgbackup").to_str().expect("a path")]);
    first.push(&Notification::new().deregistration(population.user(0)).to_json());
    first.wait_until_filed();
    let receipt = receipt(&first, &code_of(0));
    let named = receipt["backups_not_reached"].as_array().cloned().expect("a list");
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(named[0]["file"], Value::Null);
    let page = first.cli(&["participant", "show", "--study", "S", "--code", &code_of(0)]);
    assert!(page.contains("handed out"), "{page}");
}

#[test]
fn backup_made_under_load_holds_what_was_answered_before_and_is_whole() {
    let population = Population::new(815, 4);
    let first = site(&population);
    let bodies: Vec<_> = (3..40)
        .map(|number| {
            let days: Vec<_> = population
                .users()
                .iter()
                .flat_map(|user| day(user, MIDNIGHT.plus(number * 86_400), Density::default()))
                .collect();
            Notification::of(population.users(), &days).to_json()
        })
        .collect();
    let backup = first.scratch("loaded.sgbackup");
    let path = backup.to_str().expect("a path");
    let answered = AtomicUsize::new(0);
    let answered_before = std::thread::scope(|scope| {
        let pushing = scope.spawn(|| {
            for body in &bodies {
                first.push(body);
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
        site::within_patience("five pushes were answered", || answered.load(Ordering::SeqCst) >= 5);
        let before = answered.load(Ordering::SeqCst);
        first.cli(&["backup", "create", path]);
        pushing.join().expect("every push was answered");
        before
    });
    let verified = first.cli_json(&["backup", "verify", path]);
    assert_eq!(verified["opened"]["keys_destroyed"], Value::from(0));
    let mut second = elsewhere(&first);
    second.cli(&["restore", path, "--force"]);
    second.start();
    let dataset = second.export("S");
    for user in population.users() {
        let days = dataset.records(&code_of(user.index), "dailies").len();
        assert!(days >= 3 + answered_before, "{days} of {answered_before} and 3");
    }
}

fn purge_log(folder: &Path) -> PathBuf {
    let found = files_below(folder).into_iter().find(|file| file.extension().is_some_and(|e| e == "sgpurges"));
    found.expect("a purge log")
}

fn receipt_of(site: &Site, code: &str) -> Value {
    site.cli_json(&["participant", "show", "--study", "S", "--code", code])
}

/// The receipt, once the purge is done.
fn receipt(site: &Site, code: &str) -> Value {
    let mut told = Value::Null;
    site::within_patience("the receipt was made", || {
        told = receipt_of(site, code);
        told["receipt"].is_object()
    });
    told["receipt"].clone()
}
