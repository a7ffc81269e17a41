//! Nothing brings a purged participant back: not what comes late, not a retry, not older files put back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;
use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::{Population, User};

use crate::days;
use crate::site::load::Ending;
use crate::site::{Site, code_of, files_below, within_patience};

/// Items of this type that were dropped since the start because their user had left.
fn dropped(site: &Site, summary_type: &str) -> f64 {
    let series = format!("studygate_records_total{{result=\"dropped_purged\",type=\"{summary_type}\"}}");
    site.metric(&series).unwrap_or_else(|| panic!("no {series}"))
}

fn callback(user: &User, summary_type: &str) -> String {
    let url = format!("https://apis.garmin.com/wellness-api/rest/{summary_type}?token=tk-{}", user.index);
    json!({
        "userId": user.id, "callbackURL": url, "uploadStartTimeInSeconds": 1_793_491_200,
        "uploadEndTimeInSeconds": 1_793_491_500, "summaryId": format!("{}-p", user.prefix), "fileType": "FIT",
        "activityId": 77_001_002, "startTimeInSeconds": 1_793_491_200,
    })
    .to_string()
}

/// Nothing of who left is stored, held, waiting to be pulled, or in quarantine; who stays is whole.
fn only_the_other(site: &mut Site, ledger: &Ledger, when: &str) {
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    for series in ["studygate_unassigned_users", "studygate_pull_queue_length", "studygate_quarantine_items"] {
        assert_eq!(site.metric(series), Some(0.0), "{series} {when}");
    }
    let dataset = site.export("GONE");
    assert_eq!(ledger.differences(&dataset.rows()), Vec::<String>::new(), "{when}");
    let records: usize = dataset.types().iter().map(|name| dataset.records(&code_of(0), name).len()).sum();
    assert_eq!(records, 0, "{when}");
}

/// A site with who leaves, `P000`, and who stays, and what the one who stays has sent.
fn filled(seed: u64) -> (Site, Population, Ledger) {
    let population = Population::new(seed, 2);
    let mut site = Site::stopped();
    site.start();
    site.add_study("GONE", &["--unknown", "keep"]);
    site.add_participants("GONE", &population);
    let mut ledger = Ledger::default();
    let stays = days(population.user(1), 2);
    let sending = ledger.sent(&stays);
    site.push(&Notification::of(population.users(), &stays).to_json());
    ledger.acknowledged(sending);
    site.push(&Notification::of(population.users(), &days(population.user(0), 2)).to_json());
    site.wait_until_filed();
    (site, population, ledger)
}

#[test]
fn pushes_and_pings_during_and_after_a_purge_are_answered_dropped_and_counted() {
    let (mut site, population, ledger) = filled(731);
    let leaves = population.user(0);
    let push = Notification::of(population.users(), &days(leaves, 2)).to_json();
    let ping = Notification::new()
        .raw("dailies", callback(leaves, "dailies"))
        .raw("activityFiles", callback(leaves, "activityFile"))
        .to_json();
    let (ended, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for body in [&push, &ping] {
            let (site, ended, answered) = (&site, &ended, &answered);
            scope.spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    assert_eq!(site.post(body), 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let sending = Ending(&ended);
        let wait_for = |count: usize| {
            let target = answered.load(Ordering::Relaxed) + count;
            within_patience("more was answered", || answered.load(Ordering::Relaxed) >= target);
        };
        wait_for(4);
        site.push(&Notification::new().deregistration(leaves).to_json());
        wait_for(20);
        site.wait_for_metric("studygate_purge_pending", 0.0);
        wait_for(4);
        drop(sending);
    });
    only_the_other(&mut site, &ledger, "after what came during the purge");
    let (before, files) = (dropped(&site, "dailies"), dropped(&site, "activityFiles"));
    site.push(&push);
    site.push(&ping);
    only_the_other(&mut site, &ledger, "after what came late");
    assert!(dropped(&site, "dailies") >= before + 3.0, "two records and a ping");
    assert!(dropped(&site, "activityFiles") > files);
    let code = code_of(0);
    let receipt = &site.cli_json(&["participant", "show", "--study", "GONE", "--code", &code])["receipt"];
    assert!(receipt["audit_entry"].is_number(), "{receipt}");
}

#[test]
fn what_was_answered_and_not_filed_when_the_gateway_was_killed_is_dropped_at_the_replay() {
    let (mut site, population, ledger) = filled(732);
    let leaves = population.user(0);
    let push = Notification::of(population.users(), &days(leaves, 3)).to_json();
    for round in 0..3 {
        site.push(&push);
        if round == 0 {
            site.push(&Notification::new().deregistration(leaves).to_json());
        }
        site.push(&push);
        site.kill();
        site.start();
        assert_eq!(site.metric("studygate_purge_pending"), Some(0.0), "it is done before a port opens");
        only_the_other(&mut site, &ledger, &format!("after kill {round}"));
    }
    let ends = site.cli_json(&["audit", "list", "--act", "purge-carried-out"]);
    assert_eq!(ends["entries"].as_array().map(Vec::len), Some(1), "entered once");
}

#[test]
fn item_in_quarantine_that_a_person_sends_back_late_does_not_come_back() {
    let (mut site, population, ledger) = filled(733);
    let leaves = population.user(0);
    // A member that is no array has no readable owner, whoever may be named inside.
    site.push(&format!(r#"{{"dailies":{{"userId":"{}","summaryId":"q"}}}}"#, leaves.id));
    site.wait_for_metric("studygate_quarantine_items", 1.0);
    site.push(&Notification::new().deregistration(leaves).to_json());
    site.cli(&["quarantine", "retry", "--all"]);
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    site.cli(&["quarantine", "retry", "--all"]);
    site.wait_until_filed();
    let listed = site.cli_json(&["quarantine", "list"])["quarantine"].clone();
    let items = listed.as_array().expect("a list");
    assert!(items.len() == 1 && items[0]["code"].is_null(), "it stays nobody's, and expires: {listed}");
    let id = items[0]["id"].as_str().expect("an id").to_owned();
    site.cli(&["quarantine", "drop", &id, "--yes", "--reason", "they left"]);
    only_the_other(&mut site, &ledger, "after the retries");
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}

#[test]
fn older_database_and_files_put_back_show_nothing_of_who_was_purged_and_an_older_keyring_does_not_open() {
    let (mut site, population, ledger) = filled(734);
    assert!(site.stop().success());
    let (data, kept) = (site.data_dir(), site.scratch("older"));
    copy(&data, &kept);
    site.start();
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.wait_until_filed();
    site.wait_for_metric("studygate_purge_pending", 0.0);
    assert!(site.stop().success());

    let now = site.scratch("now");
    copy(&data, &now);
    for entry in fs::read_dir(data.join("keyring")).expect("a folder").flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("keyring.") {
            fs::copy(kept.join("keyring").join(&name), entry.path()).expect("put back");
        }
    }
    let serve = site.serve_command().output().expect("it ends");
    let told = String::from_utf8_lossy(&serve.stderr).into_owned();
    assert!(serve.status.code() == Some(74) && told.contains("keyring"), "{:?}: {told}", serve.status);
    assert!(!told.contains("panicked"));

    fs::remove_dir_all(data.join("keyring")).expect("ours");
    copy(&now.join("keyring"), &data.join("keyring"));
    for entry in fs::read_dir(&data).expect("a folder").flatten() {
        if entry.file_name().to_string_lossy().starts_with("db") {
            let removed =
                if entry.path().is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) };
            removed.expect("ours");
        }
    }
    fs::remove_dir_all(data.join("blobs")).expect("ours");
    for name in ["db", "blobs"] {
        copy(&kept.join(name), &data.join(name));
    }
    assert!(!files_below(&data.join("db")).is_empty());
    site.start();
    only_the_other(&mut site, &ledger, "with the older database");
    let show = site.run(&["participant", "show", "--study", "GONE", "--code", &code_of(0)]);
    assert_ne!(show.status.code(), Some(0), "nobody of this code: {}", String::from_utf8_lossy(&show.stdout));
}
