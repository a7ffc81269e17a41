//! The audit log through the real binary: what is in it, and that it is verified up, down and on a copy.

use std::fs;

use serde_json::Value;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::{Site, files_below};

fn acts(site: &Site, options: &[&str]) -> Vec<String> {
    let answer = site.cli_json(&[&["audit", "list"], options].concat());
    let entries = answer["entries"].as_array().expect("entries").clone();
    entries.iter().map(|entry| entry["act"].as_str().expect("an act").to_owned()).collect()
}

/// Returns when nothing waits to be erased.
fn wait_for_purge(site: &Site) {
    let looks = 600;
    let pending = || site.cli_json(&["status"])["purges_pending"] != 0;
    assert!((0..looks).any(|_| !pending()), "a purge takes too long");
}

#[test]
fn life_of_a_participant_is_in_the_log_and_proven_on_a_copy() {
    let population = Population::new(711, 1);
    let mut site = Site::new();
    site.add_study("TRACE", &[]);
    site.add_participants("TRACE", &population);
    site.push(&Notification::of(population.users(), &[first_of(&population, 0, "dailies")]).to_json());
    let dataset = site.export("TRACE");
    site.push(&Notification::new().deregistration(population.user(0)).to_json());
    site.wait_until_filed();
    wait_for_purge(&site);
    let told = acts(&site, &["--code", "P000"]);
    let expected = ["participant-added", "deregistration-obeyed", "purge-carried-out"];
    assert!(told.len() >= 3 && told[..3] == expected, "the log outlives the purge: {told:?}");
    assert_eq!(acts(&site, &["--act", "export-made", "--study", "TRACE"]), ["export-made"]);
    let made = site.cli_json(&["audit", "list", "--act", "export-made"]);
    let details = &made["entries"][0]["details"];
    assert_eq!((details["number"].as_u64(), details["participants"].as_u64()), (Some(1), Some(1)));

    let shown = site.cli_json(&["participant", "show", "--study", "TRACE", "--code", "P000"]);
    let verified = site.cli_json(&["audit", "verify"]);
    assert_eq!(verified["findings"], Value::Array(Vec::new()));
    assert!(site.metric("studygate_audit_verify_last_success_timestamp_seconds").is_some());
    let key = site.cli_json(&["keys", "show"])["site_key"].as_str().expect("a key").to_owned();
    assert_eq!(site.stop().code(), Some(0));
    assert_eq!(site.cli_json(&["keys", "show"])["site_key"], key.as_str(), "down as up");
    assert!(site.cli(&["audit", "verify"]).contains("proven up to entry"), "down as up");

    let copy = site.scratch("copy");
    fs::create_dir(&copy).expect("a folder");
    for file in files_below(&site.data_dir().join("audit")) {
        fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("copied");
    }
    let (folder, key) = (copy.to_str().expect("UTF-8"), key.as_str());
    site.cli(&["audit", "verify", folder, "--public-key", key]);
    let manifest = dataset.folder().join("manifest.json");
    let manifest = manifest.to_str().expect("UTF-8");
    site.cli(&["audit", "verify", folder, "--checkpoint", manifest]);
    let receipt = site.scratch("receipt.json");
    let receipt = receipt.to_str().expect("UTF-8");
    fs::write(receipt, format!("{shown:#}")).expect("written");
    site.cli(&["audit", "verify", folder, "--checkpoint", receipt, "--checkpoint", manifest]);
    assert_eq!(site.run(&["audit", "verify", folder]).status.code(), Some(2), "a copy is proven against a key");

    let log = copy.join("log");
    let text = fs::read_to_string(&log).expect("the log");
    fs::write(&log, text.split_inclusive('\n').take(2).collect::<String>()).expect("cut");
    site.cli(&["audit", "verify", folder, "--public-key", key]);
    for known in [manifest, receipt] {
        let cut = site.run(&["audit", "verify", folder, "--checkpoint", known]);
        assert_eq!(cut.status.code(), Some(3));
        assert!(String::from_utf8_lossy(&cut.stdout).contains("log, line 2"), "{cut:?}");
    }
    fs::write(&log, text.replace("P000", "P111")).expect("altered");
    let altered = site.run(&["audit", "verify", folder, "--public-key", key]);
    assert_eq!(altered.status.code(), Some(3));
}
