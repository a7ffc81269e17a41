//! `studygate simulate` against the real gateway: what its ledger calls acknowledged is in the dataset, once.

#[path = "site/mod.rs"]
mod site;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ring::digest::{SHA256, digest};
use serde_json::Value;
use studygate::simulate::record::without_pseudonyms;
use studygate::simulate::user::Population;

use crate::site::{STUDYGATE, Site, code_of};

const SEED: u64 = 4711;

/// Runs `simulate` towards a site, with further options.
fn simulate(site: &Site, options: &[&str]) -> Output {
    let url = format!("https://{}{}", site.ingress(), site.notification_path());
    let ca = site.configured(&["ingress", "tls", "certificate"]);
    let mut command = Command::new(STUDYGATE);
    command.args(["simulate", "--to", &url, "--start", "2026-11-01", "--seed", &SEED.to_string(), "--ca"]).arg(ca);
    command.args(options).output().expect("the binary runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn ledger(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("JSON")
}

/// Per user and type, the digests of the versions that must be there, sorted; users who left have none.
fn expected(ledger: &Value) -> BTreeMap<(String, String), Vec<String>> {
    let mut all: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for record in ledger["records"].as_array().expect("an array") {
        let user = usize::try_from(record["user"].as_u64().expect("a place")).expect("small");
        if ledger["users"][user]["deregistered"]["acknowledged"] == true {
            continue;
        }
        let current = usize::try_from(record["current"].as_u64().expect("acknowledged")).expect("small");
        let sha256 = record["versions"][current]["sha256"].as_str().expect("a digest").to_owned();
        let summary_type = record["type"].as_str().expect("a name").to_owned();
        all.entry((code_of(user), summary_type)).or_default().push(sha256);
    }
    all.values_mut().for_each(|digests| digests.sort());
    all
}

/// The same of an exported study.
fn found(site: &mut Site, study: &str) -> BTreeMap<(String, String), Vec<String>> {
    let mut all: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for row in site.export(study).rows() {
        let text = without_pseudonyms(row.record).to_string();
        let sha256 = data_encoding::HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        all.entry((code_of(row.user), row.summary_type)).or_default().push(sha256);
    }
    all.values_mut().for_each(|digests| digests.sort());
    all
}

#[test]
fn everything_in_the_ledger_of_a_push_run_is_in_the_dataset_once() {
    let mut site = Site::new();
    let population = Population::new(SEED, 4);
    site.add_study("SIM", &["--unknown", "keep"]);
    site.add_participants("SIM", &population);
    let file = site.scratch("ledger.json");
    let path = file.to_str().expect("UTF-8");
    let options = [
        "--users",
        "4",
        "--days",
        "6",
        "--deregister",
        "1",
        "--permission-changes",
        "1",
        "--hold",
        "2",
        "--ledger",
        path,
    ];
    let output = simulate(&site, &options);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(output.stdout.is_empty());
    assert!(told(&output).contains("notifications were answered 200"), "{}", told(&output));
    let ledger = ledger(&fs::read(&file).expect("a ledger"));
    let expected = expected(&ledger);
    assert!(expected.len() > 20 && expected.keys().all(|(code, _)| code != "P003"), "{:?}", expected.keys());
    assert_eq!(found(&mut site, "SIM"), expected);
    for user in population.users() {
        assert!(!told(&output).contains(&user.id));
    }
}

#[test]
fn gateway_that_restarts_under_a_run_gets_everything() {
    let mut site = Site::new();
    site.add_study("SIM", &["--unknown", "keep"]);
    site.add_participants("SIM", &Population::new(SEED, 3));
    let url = format!("https://{}{}", site.ingress(), site.notification_path());
    let ca = site.configured(&["ingress", "tls", "certificate"]);
    let mut command = Command::new(STUDYGATE);
    command.args(["simulate", "--to", &url, "--users", "3", "--days", "5", "--start", "2026-11-01", "--rate", "20"]);
    command.args(["--seed", &SEED.to_string(), "--ledger"]).arg(site.scratch("ledger.json")).arg("--ca").arg(ca);
    let mut running = command.stderr(std::process::Stdio::null()).spawn().expect("the binary runs");
    site::within_patience("a notification was taken", || {
        site.metric("studygate_notifications_total{outcome=\"accepted\"}").is_some_and(|taken| taken > 0.0)
    });
    site.kill();
    // The gateway stays away until it was missed.
    let away = std::net::TcpListener::bind(site.ingress()).expect("its address is free");
    away.set_nonblocking(true).expect("a listener");
    site::within_patience("the run missed the gateway", || {
        assert!(running.try_wait().expect("a child of ours").is_none(), "the run was over before");
        away.accept().is_ok()
    });
    drop(away);
    site.start();
    assert!(running.wait().expect("a child of ours").success());
    let ledger = ledger(&fs::read(site.scratch("ledger.json")).expect("a ledger"));
    let count = |name: &str| ledger["notifications"][name].as_u64().expect("a number");
    assert!(count("attempts") > count("sent"), "the restart was noticed");
    assert_eq!(found(&mut site, "SIM"), expected(&ledger));
}

#[test]
fn ledger_goes_to_stdout_and_only_the_chosen_types_come() {
    let site = Site::new();
    let output =
        simulate(&site, &["--users", "2", "--days", "2", "--types", "sleeps,epochs", "--client-id", "made-up"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let ledger = ledger(&output.stdout);
    let types: std::collections::BTreeSet<_> =
        ledger["records"].as_array().expect("an array").iter().map(|record| record["type"].to_string()).collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), ["\"epochs\"", "\"sleeps\""]);
    assert_eq!((&ledger["seed"], &ledger["start"]), (&Value::from(SEED), &Value::from("2026-11-01")));
}

#[test]
fn users_are_listed_as_participant_add_takes_them() {
    let arguments = ["simulate", "--list-users", "--users", "3", "--seed", "4711"];
    let output = Command::new(STUDYGATE).args(arguments).output().expect("the binary runs");
    let listed = String::from_utf8(output.stdout).expect("text");
    let ids: Vec<_> = Population::new(SEED, 3).users().iter().map(|user| user.id.clone()).collect();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ids);
}

#[test]
fn ping_run_says_what_the_gateway_must_be_configured_with() {
    let site = Site::new();
    let (certificate, host) = (site.scratch("callbacks.pem"), "127.0.0.1:18445");
    let file = certificate.to_str().expect("UTF-8");
    let options = [
        "--users",
        "1",
        "--days",
        "1",
        "--mode",
        "ping",
        "--types",
        "mct",
        "--quiet",
        "0",
        "--callbacks",
        "127.0.0.1:0",
        "--callback-host",
        host,
        "--callback-certificate",
        file,
        "--faults",
    ];
    let output = simulate(&site, &options);
    let told = told(&output);
    let pull = format!("[pull]\nhosts = [\"{host}\"]\nallow_private = true\nca_file = \"{file}\"\n");
    assert!(told.contains(&pull), "{told}");
    assert!(fs::read_to_string(&certificate).expect("a certificate").starts_with("-----BEGIN CERTIFICATE-----"));
    let ledger = ledger(&output.stdout);
    assert!(!ledger["windows"].as_array().expect("an array").is_empty());
    assert!(!String::from_utf8_lossy(&output.stdout).contains("token="));
}

#[test]
fn every_failure_has_its_exit_code_and_says_what_to_do() {
    let site = Site::new();
    let check = |options: &[&str], code, says: &str| {
        let output = simulate(&site, options);
        assert_eq!(output.status.code(), Some(code), "{options:?}: {}", told(&output));
        assert!(told(&output).contains(says), "{options:?}: {}", told(&output));
        assert!(output.stdout.is_empty(), "{options:?}");
    };
    let taken = site.config_path();
    check(&["--types", "slepes"], 2, "`slepes` is no summary type");
    check(&["--mode", "ping"], 2, "--callback-certificate");
    check(&["--users", "0"], 2, "--users");
    check(&["--ledger", taken.to_str().expect("UTF-8")], 73, "name another file with --ledger");
    let plain = |url: &str, ca: &Path| {
        let output = Command::new(STUDYGATE).args(["simulate", "--to", url, "--ca"]).arg(ca).output().expect("runs");
        (output.status.code(), told(&output))
    };
    let ca = site.configured(&["ingress", "tls", "certificate"]);
    assert_eq!(plain("http://127.0.0.1/garmin", &ca).0, Some(2));
    assert_eq!(plain("https://127.0.0.1:1/garmin", &ca).0, Some(69));
    let (code, text) = plain("https://127.0.0.1:1/garmin", Path::new("/nonexistent/ca.pem"));
    assert_eq!((code, text.contains("name another file")), (Some(4), true), "{text}");
}

#[test]
fn notifications_that_nobody_takes_are_a_failure_with_a_ledger() {
    let site = Site::new();
    let url = format!("https://{}/elsewhere", site.ingress());
    let ca = site.configured(&["ingress", "tls", "certificate"]);
    let arguments =
        ["simulate", "--to", &url, "--users", "1", "--days", "1", "--attempts", "1", "--types", "mct", "--ca"];
    let output = Command::new(STUDYGATE).args(arguments).arg(ca).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(told(&output).contains("were never answered 200"), "{}", told(&output));
    let ledger = ledger(&output.stdout);
    assert!(ledger["notifications"]["given_up"].as_u64() > Some(0));
    assert_eq!(ledger["records"][0]["current"], Value::Null);
}
