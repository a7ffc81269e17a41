//! What keeps a gateway from starting is told in one clear sentence, with the exit code that says whose turn it is.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::{STUDYGATE, Site};

const CONFIGURATION: i32 = 78;
const TRY_AGAIN: i32 = 75;

/// Runs `serve`, which must end by itself with this code, and tell why in one sentence that holds `word`.
fn check_refusal(site: &Site, code: i32, word: &str) {
    let output = serve(site);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert_one_sentence(&told, word);
}

fn serve(site: &Site) -> Output {
    site.studygate(&["serve"]).stdin(Stdio::null()).output().expect("the binary runs")
}

fn assert_one_sentence(told: &str, word: &str) {
    // A log line or two may come before; the last line is for the person who started it.
    let last = told.lines().last().unwrap_or_default();
    assert!(last.to_lowercase().contains(word), "`{word}` is missing in: {told}");
    assert!(last.split_whitespace().count() >= 5, "too short to help: {last}");
    for noise in ["panicked", "Err(", "Os {", "unwrap", "backtrace", " kind: "] {
        assert!(!told.contains(noise), "`{noise}` is no sentence: {told}");
    }
}

#[test]
fn wrong_root_key_is_refused() {
    let population = Population::new(901, 1);
    let mut site = Site::new();
    site.add_study("KEYED", &[]);
    site.add_participants("KEYED", &population);
    site.push(&Notification::of(population.users(), &[first_of(&population, 0, "dailies")]).to_json());
    site.stop();
    let path = site.configured(&["keys", "root_key"]);
    let right = fs::read(&path).expect("a key");
    fs::write(&path, format!("{}\n", "5a".repeat(32))).expect("ours to change");
    check_refusal(&site, CONFIGURATION, "root key");
    fs::write(&path, right).expect("ours to change");
    site.start();
    assert_eq!(site.export("KEYED").records("P000", "dailies").len(), 1, "the refusal harmed nothing");
}

#[test]
fn missing_root_key_is_refused() {
    let site = Site::stopped();
    fs::remove_file(site.configured(&["keys", "root_key"])).expect("ours to remove");
    check_refusal(&site, CONFIGURATION, "root");
}

#[test]
fn locked_data_directory_is_refused() {
    let site = Site::new();
    let other = site.dir().join("second.toml");
    let text = fs::read_to_string(site.config_path()).expect("a configuration");
    let text = text.replace(&site.ingress().to_string(), "127.0.0.1:0").replace("studygate.sock", "second.sock");
    fs::write(&other, text.replace(&site.metrics().to_string(), "127.0.0.1:0")).expect("ours to write");
    let output = Command::new(STUDYGATE).arg("--config").arg(other).arg("serve").output().expect("the binary runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(TRY_AGAIN), "{told}");
    assert_one_sentence(&told, "data");
    assert!(site.is_ready(), "the first gateway goes on");
}

#[test]
fn unreadable_certificate_is_refused() {
    let site = Site::stopped();
    let path = site.configured(&["ingress", "tls", "certificate"]);
    fs::remove_file(&path).expect("ours to remove");
    check_refusal(&site, CONFIGURATION, "certificate");
    fs::write(&path, "no PEM at all").expect("ours to write");
    check_refusal(&site, CONFIGURATION, "certificate");
}

#[test]
fn bad_configuration_is_refused_with_its_place_and_the_nearest_key() {
    let mut site = Site::stopped();
    site.edit_config(|text| format!("data_dirr = \"/nowhere\"\n{text}"));
    let output = serve(&site);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(CONFIGURATION), "{told}");
    assert!(told.contains("data_dirr") && told.contains("`data_dir`"), "{told}");
    assert!(told.contains("1:1") || told.contains("line 1"), "{told}");
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn command_without_a_running_gateway_says_so() {
    let site = Site::stopped();
    let output = site.run(&["study", "list"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(69), "{told}");
    assert_one_sentence(&told, "gateway");
}

#[test]
fn stopped_gateway_exits_with_0_and_keeps_what_it_answered() {
    let population = Population::new(902, 1);
    let mut site = Site::new();
    site.add_study("CALM", &[]);
    site.add_participants("CALM", &population);
    site.push(&Notification::of(population.users(), &[first_of(&population, 0, "sleeps")]).to_json());
    assert!(site.stop().success());
    site.start();
    assert_eq!(site.export("CALM").records("P000", "sleeps").len(), 1);
}
