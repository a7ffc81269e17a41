//! What `doctor` says of a real site, with its gateway up and down; it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::SystemTime;

use serde_json::Value;

mod site;

use crate::site::{Site, files_below};

/// `doctor --offline --json`: its exit code and its findings.
fn examined(site: &Site) -> (Option<i32>, Vec<Value>) {
    let output = site.run(&["doctor", "--offline", "--json"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code(), answer["findings"].as_array().expect("a list").clone())
}

/// The severities of a check's findings.
fn severities(found: &[Value], check: &str) -> Vec<String> {
    let of = |finding: &&Value| finding["check"] == check;
    found.iter().filter(of).map(|finding| finding["severity"].as_str().expect("text").to_owned()).collect()
}

/// How a look at a good site ends: where the tests' folders lie in memory, that alone is a problem.
fn good(found: &[Value]) -> Option<i32> {
    Some(if severities(found, "file_system") == ["problem"] { 3 } else { 0 })
}

fn states(site: &Site) -> BTreeMap<PathBuf, (u64, SystemTime)> {
    let state = |path: PathBuf| {
        let found = fs::metadata(&path).expect("it is there");
        (path, (found.len(), found.modified().expect("a time")))
    };
    files_below(&site.dir()).into_iter().map(state).collect()
}

#[test]
fn running_trial_site_has_no_problem_and_its_listeners_answer() {
    let site = Site::new();
    let (code, found) = examined(&site);
    let problems: Vec<_> = found.iter().filter(|finding| finding["severity"] == "problem").collect();
    assert!(problems.iter().all(|problem| problem["check"] == "file_system"), "{problems:#?}");
    assert_eq!(code, good(&found));
    assert_eq!(severities(&found, "gateway"), ["ok"]);
    assert_eq!(severities(&found, "listener"), ["ok"; 3]);
    for check in ["root_key", "data_dir", "configuration", "notification_paths", "ready", "format"] {
        assert_eq!(severities(&found, check), ["ok"], "{check}");
    }
    for check in ["escrow", "backup_dir", "backups"] {
        assert_eq!(severities(&found, check), ["warning"], "{check}");
    }
    assert!(severities(&found, "certificate").contains(&"warning".to_owned()), "it is signed by itself");
    for check in ["studies", "review_users", "review_answers"] {
        assert_eq!(severities(&found, check), ["note"], "{check}");
    }
    let remedies = found.iter().filter(|finding| finding["severity"] != "ok");
    assert!(remedies.clone().count() > 5);
    remedies.for_each(|finding| assert!(finding["remedy"].is_string(), "{finding}"));
}

#[test]
fn stopped_site_is_looked_at_without_a_change_to_any_file() {
    let mut site = Site::new();
    assert!(site.stop().success());
    let before = states(&site);
    let (code, found) = examined(&site);
    assert_eq!(states(&site), before);
    assert_eq!((code, severities(&found, "gateway")), (Some(3), vec!["problem".to_owned()]));
    assert!(severities(&found, "lock").is_empty() && severities(&found, "listener").is_empty());
    assert_eq!(severities(&found, "format"), ["ok"]);
    site.start();
}

#[test]
fn site_that_was_never_started_is_no_problem() {
    let site = Site::stopped();
    let (code, found) = examined(&site);
    assert_eq!((code, severities(&found, "format")), (good(&found), vec!["note".to_owned()]));
    assert!(!site.data_dir().join("FORMAT").exists(), "looking makes no site");
}

#[test]
fn root_key_that_others_may_read_is_a_problem_and_ends_with_its_exit_code() {
    let site = Site::stopped();
    let key = site.configured(&["keys", "root_key"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    let (code, found) = examined(&site);
    assert_eq!((code, severities(&found, "root_key")), (Some(3), vec!["problem".to_owned()]));
    let output = site.run(&["doctor", "--offline"]);
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(told.starts_with("problem  root_key"), "the worst stands first: {told}");
    assert!(told.contains(&format!("→ run `chmod 600 {}`", key.display())), "{told}");
}

#[test]
fn process_that_holds_the_data_but_does_not_answer_is_found() {
    let mut site = Site::new();
    let socket = site.configured(&["local", "socket"]);
    fs::remove_file(&socket).expect("ours");
    let (code, found) = examined(&site);
    assert_eq!((code, severities(&found, "lock")), (Some(3), vec!["problem".to_owned()]));
    site.kill();
}

#[test]
fn what_came_counts_towards_garmins_review() {
    let site = Site::new();
    site.push(r#"{"dailies":[{"userId":"one","summaryId":"s"},{"userId":"two","summaryId":"t"}]}"#);
    site.push(r#"{"userPermissionsChange":[{"userId":"one","permissions":[],"changeTimeInSeconds":1}]}"#);
    site.wait_until_filed();
    let (_, found) = examined(&site);
    assert_eq!(severities(&found, "review_users"), ["ok"]);
    assert_eq!(severities(&found, "review_answers"), ["ok"]);
    let mut notices = severities(&found, "review_notices");
    notices.sort();
    assert_eq!(notices, ["note", "ok"], "no deregistration came");
    assert_eq!(severities(&found, "unassigned"), ["note"]);
}

#[test]
fn firewall_table_names_hosts_ports_and_directions() {
    let site = Site::stopped();
    let output = site.run(&["doctor", "--firewall"]);
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success());
    assert!(told.starts_with("DIRECTION"), "{told}");
    for part in ["apis.garmin.com", "TCP 443", "UDP 123", &format!("TCP {}", site.ingress().port())] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
}

#[test]
fn configuration_that_cannot_be_read_ends_as_check_config_does() {
    let mut site = Site::stopped();
    site.edit_config(|text| text.replace("[ingress]", "[ingres]"));
    let output = site.run(&["doctor"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`ingress`"));
}
