//! A deregistration destroys what it must and nothing else, and nothing brings the data back.

use std::thread;
use std::time::{Duration, Instant};

use studygate::simulate::notification::Notification;
use studygate::simulate::record::Record;
use studygate::simulate::user::Population;

use crate::site::{Site, code_of, files_below};
use crate::{days, first_of};

fn sleeps_and_dailies(population: &Population) -> Vec<Record> {
    population.users().iter().flat_map(|user| days(user, 3)).collect()
}

#[test]
fn deregistered_participant_is_absent_from_the_dataset_and_late_data_are_dropped() {
    let population = Population::new(701, 2);
    let mut site = Site::new();
    site.add_study("LEAVE", &[]);
    site.add_participants("LEAVE", &population);
    let records = sleeps_and_dailies(&population);
    let body = Notification::of(population.users(), &records).to_json();
    site.push(&body);
    assert!(!site.export("LEAVE").records(&code_of(0), "dailies").is_empty());
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.push(&body);
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    site.push(&body);
    let dataset = site.export("LEAVE");
    assert_eq!(dataset.types().iter().map(|name| dataset.records(&code_of(0), name).len()).sum::<usize>(), 0);
    assert_eq!(dataset.records(&code_of(1), "dailies").len(), 3, "the other participant is untouched");
    let dropped = site.fetch("/metrics").expect("metrics").1;
    let dropped = dropped.lines().any(|line| {
        line.starts_with("studygate_records_total") && line.contains("dropped_purged") && !line.ends_with(" 0")
    });
    assert!(dropped, "late data are counted");
}

#[test]
fn deregistration_with_a_callback_url_is_one_all_the_same() {
    let population = Population::new(704, 1);
    let mut site = Site::new();
    site.add_study("ODD", &[]);
    site.add_participants("ODD", &population);
    site.push(&Notification::of(population.users(), &sleeps_and_dailies(&population)).to_json());
    let item = format!(r#"{{"userId":"{}","callbackURL":"https://apis.garmin.com/nothing"}}"#, population.user(0).id);
    site.push(&Notification::new().raw("deregistrations", item).to_json());
    assert!(site.export("ODD").types().is_empty());
}

#[test]
fn deregistration_holds_over_a_kill_and_a_restart() {
    let population = Population::new(702, 1);
    let mut site = Site::new();
    site.add_study("FIRM", &[]);
    site.add_participants("FIRM", &population);
    let body = Notification::of(population.users(), &sleeps_and_dailies(&population)).to_json();
    site.push(&body);
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.kill();
    site.start();
    site.push(&body);
    assert!(site.export("FIRM").types().is_empty());
}

#[test]
fn purge_takes_the_blobs_and_the_journal_entries_with_it() {
    let population = Population::new(703, 1);
    let site = Site::new();
    site.add_study("BLOBS", &[]);
    let bytes = |site: &Site| -> u64 {
        files_below(&site.data_dir()).iter().filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum()
    };
    site.add_participants("BLOBS", &population);
    site.wait_until_filed();
    let empty = bytes(&site);
    let mut details = first_of(&population, 0, "activityDetails");
    // Random digits do not compress, so that the blob has a size that cannot hide.
    let noise = studygate::simulate::random::Random::at(703, &[]).hex(6_000_000);
    details.content.insert("note".to_owned(), noise.into());
    site.push(&Notification::of(population.users(), &[details]).to_json());
    site.wait_until_filed();
    assert!(bytes(&site) > empty + 2_000_000);
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    // The database is written anew behind that: its first folder is gone then, and so are the copies of its rows.
    let first = site.data_dir().join("db");
    let began = Instant::now();
    while first.exists() {
        assert!(began.elapsed() < Duration::from_secs(30), "the database is not compacted");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(bytes(&site) < empty + 2_000_000, "what is left: {} of {empty}", bytes(&site));
}

#[test]
fn deregistration_of_somebody_unknown_changes_nothing() {
    let population = Population::new(704, 2);
    let mut site = Site::new();
    site.add_study("CALM", &[]);
    site.add_participant("CALM", "P000", population.user(0));
    site.push(&Notification::of(population.users(), &[first_of(&population, 0, "dailies")]).to_json());
    site.push(&Notification::new().deregistration(population.user(1)).to_json());
    assert_eq!(site.export("CALM").records("P000", "dailies").len(), 1);
}

#[test]
fn who_leaves_has_a_signed_receipt_that_verifies_off_the_box() {
    let population = Population::new(705, 2);
    let mut site = Site::new();
    site.add_study("PAPER", &[]);
    site.add_participants("PAPER", &population);
    site.push(&Notification::of(population.users(), &sleeps_and_dailies(&population)).to_json());
    site.wait_until_filed();
    site.export("PAPER");
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    site.kill();
    site.start();
    let code = code_of(0);
    let show = ["participant", "show", "--study", "PAPER", "--code", &code];
    let page = site.cli(&show);
    assert!(page.contains("Receipt") && page.contains("logical erasure"), "{page}");
    let shown = site.cli_json(&show);
    let file = site.scratch("receipt.json");
    std::fs::write(&file, format!("{shown:#}")).expect("written");
    let receipt = &shown["receipt"];
    assert_eq!((&receipt["started_by"], &receipt["exports"][0]["number"]), (&"deregistration".into(), &1.into()));
    assert!(receipt["destroyed"]["records"].as_u64() > Some(0), "{receipt}");
    let entry = receipt["audit_entry"].as_u64().expect("it is entered");
    let carried_out = &site.cli_json(&["audit", "list", "--act", "purge-carried-out"])["entries"][0];
    assert_eq!((&carried_out["sequence"], &carried_out["code"]), (&entry.into(), &code.as_str().into()));
    assert!(receipt["audit_head"]["sequence"].as_u64() >= Some(entry), "{receipt}");
    let key = receipt["site_key"].as_str().expect("a key").to_owned();
    let path = file.display().to_string();
    let verified = site.cli(&["receipt", "verify", &path, "--public-key", &key]);
    assert_eq!(verified, page);
}
