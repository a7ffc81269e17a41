//! The unit holds what the program relies on, and the program what the unit does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use studygate::config::{Config, Environment, default_file};

/// Settings that may be given several times.
const LISTS: [&str; 4] = ["ConditionPathExists", "ReadWritePaths", "SystemCallFilter", "After"];

/// `section.key` and its values.
fn unit() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string("systemd/studygate.service").expect("the unit");
    let (mut settings, mut section) = (BTreeMap::<_, Vec<_>>::new(), String::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').expect("a setting");
        settings.entry(format!("{section}.{key}")).or_default().push(value.to_owned());
    }
    settings
}

fn only(key: &str) -> String {
    let unit = unit();
    let values = unit.get(key).unwrap_or_else(|| panic!("{key} is missing"));
    assert_eq!(values.len(), 1, "{key}");
    values[0].clone()
}

/// `90s`, `2min` in seconds.
fn seconds(text: &str) -> u64 {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[digits..] {
        "s" => 1,
        "min" => 60,
        other => panic!("{other} is no unit of this file"),
    };
    text[..digits].parse::<u64>().expect("a number") * unit
}

#[test]
fn nothing_is_set_twice() {
    for (key, values) in unit() {
        let name = key.split('.').next_back().expect("a key");
        assert!(values.len() == 1 || LISTS.contains(&name), "{key}");
    }
}

#[test]
fn paths_are_those_of_the_packaged_configuration() {
    let (config, none) = (Config::default(), Environment::default());
    let start = only("Service.ExecStart");
    assert_eq!(start, format!("/usr/bin/studygate serve --config {}", default_file(None, &none).display()));
    assert_eq!(config.data_dir, Path::new("/var/lib").join(only("Service.StateDirectory")));
    let runtime = Path::new("/run").join(only("Service.RuntimeDirectory"));
    assert_eq!(config.local.socket.parent(), Some(runtime.as_path()));
    assert_eq!(only("Service.ReadWritePaths"), "-/var/backups/studygate");
}

#[test]
fn unit_waits_for_the_root_key_in_either_form_and_hands_it_over_under_its_name() {
    let (id, stored) =
        only("Service.LoadCredentialEncrypted").split_once(':').map(own).expect("a name and a credential");
    let file = Config::default().root_key_file().display().to_string();
    let conditions = &unit()["Unit.ConditionPathExists"];
    assert_eq!(conditions, &[format!("|/etc/credstore.encrypted/{stored}"), format!("|{file}")]);
    assert!(!stored.contains('/'), "a path that is missing would be a failure, a name is not");
    let dir = tempfile::tempdir().expect("a folder");
    let environment = Environment { credentials_directory: Some(dir.path().to_owned()), ..Environment::default() };
    let text = "[ingress.tls]\ncertificate = \"c\"\nprivate_key = \"k\"\n";
    let config = Config::of(Path::new("/etc/studygate/studygate.toml"), text, &environment).expect("taken");
    assert_eq!(config.root_key_file(), dir.path().join(id));
}

fn own((one, other): (&str, &str)) -> (String, String) {
    (one.to_owned(), other.to_owned())
}

#[test]
fn what_a_person_has_to_mend_is_not_started_again_and_everything_else_is_without_limit() {
    assert_eq!(only("Service.Restart"), "on-failure");
    assert_eq!(only("Service.RestartPreventExitStatus"), "2 78");
    assert_eq!(only("Unit.StartLimitIntervalSec"), "0");
    assert!(!unit().contains_key("Service.SuccessExitStatus"));
}

#[test]
fn systemd_is_told_by_the_main_process_alone_and_waits_longer_than_a_stall_and_a_drain() {
    assert_eq!(only("Service.Type"), "notify");
    assert_eq!(only("Service.NotifyAccess"), "main");
    assert!(seconds(&only("Service.WatchdogSec")) >= 60, "a card may stall for half a minute");
    // A body under way has 30 s; then what was answered is filed.
    assert!(seconds(&only("Service.TimeoutStopSec")) >= 120);
    assert_eq!(only("Service.ExecReload"), "/bin/kill -HUP $MAINPID");
}

#[test]
fn keys_stay_in_memory_and_only_a_low_port_is_allowed() {
    assert_eq!(only("Service.LimitCORE"), "0");
    assert_eq!(only("Service.MemorySwapMax"), "0");
    assert_eq!(only("Service.CapabilityBoundingSet"), "CAP_NET_BIND_SERVICE");
    assert_eq!(only("Service.AmbientCapabilities"), "CAP_NET_BIND_SERVICE");
    assert_eq!(only("Service.UMask"), "0077");
}
