//! Nothing that the site named itself is in the bundle, compressed or not; what helps is.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;
use studygate::simulate::user::Population;

mod site;

use crate::site::Site;

/// Every one stands in the configuration or is the name of something.
const MARKERS: &[&str] = &[
    "zqpath",
    "zqclient",
    "203.0.113.77",
    "203.0.113.78",
    "zqhost",
    "zqproxy",
    "zqbackup",
    "zqlog",
    "zqgroup",
    "zqgrant",
    "ZQSTUDY",
    "ZQCODE",
    "zqtoken",
    "zqsocket",
    "zqdata",
];

/// The files of a zip by name, and all of its bytes.
fn opened(path: &Path) -> (Vec<(String, String)>, Vec<u8>) {
    let bytes = fs::read(path).expect("a bundle");
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).expect("a zip");
    let mut files = Vec::new();
    for place in 0..zip.len() {
        let mut file = zip.by_index(place).expect("a file");
        let name = file.name().expect("UTF-8").into_owned();
        let mut text = String::new();
        file.read_to_string(&mut text).expect("UTF-8");
        files.push((name, text));
    }
    (files, bytes)
}

fn json(files: &[(String, String)], name: &str) -> Value {
    let (_, text) = files.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name} is missing"));
    serde_json::from_str(text).expect("JSON")
}

fn assert_clean(files: &[(String, String)], bytes: &[u8], markers: &[&str]) {
    for marker in markers {
        let needle = marker.to_lowercase().into_bytes();
        let raw = bytes.to_ascii_lowercase();
        assert!(!raw.windows(needle.len()).any(|part| part == needle), "{marker} stands in the zip");
        for (name, text) in files {
            assert!(!text.to_lowercase().contains(&marker.to_lowercase()), "{marker} stands in {name}:\n{text}");
        }
    }
}

/// A site in which everything that can be named bears a marker.
fn marked() -> Site {
    let mut site = Site::stopped();
    let backup = site.dir().join("zqbackup");
    fs::create_dir(&backup).expect("a folder");
    site.edit_config(|text| {
        let text = text
            .replace("log = \"info\"", "log = \"info,studygate::zqlog=debug\"")
            .replace("data_dir = \"data\"", "data_dir = \"zqdata\"")
            .replace("socket = \"studygate.sock\"", "socket = \"zqsocket.sock\"")
            .replace("[ingress]", "[ingress]\nclient_ids = [\"zqclient\"]\ntrusted_proxies = [\"203.0.113.78/32\"]")
            .replace("client_ids", "allow_from = [\"203.0.113.77/32\", \"127.0.0.0/8\"]\nclient_ids");
        let grant = "[[local.grant]]\ngroup = \"60321\"\nstudy = \"ZQGRANT\"\nrole = \"viewer\"\n";
        let text = text.replace("paths = [", "paths = [\"/zqpath\", ");
        format!(
            "{text}\n{grant}[pull]\nhosts = [\"zqhost.example\"]\nproxy = \"http://zqproxy.example:3128\"\n\
             [backup]\ndir = \"zqbackup\"\n"
        )
    });
    site
}

#[test]
fn nothing_that_the_site_named_is_in_the_bundle_of_a_running_gateway() {
    let mut site = marked();
    site.start();
    site.add_study("ZQSTUDY", &[]);
    site.add_participant("ZQSTUDY", "ZQCODE", Population::new(5, 1).user(0));
    site.cli(&["token", "add", "--name", "zqtoken", "--all", "--role", "viewer", "--expires", "2027-01-01"]);
    let file = site.scratch("bundle.zip");
    let output = site.run(&["support-bundle", "--offline", "--yes", "-o", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{output:?}");
    let (files, bytes) = opened(&file);
    let secret = site.notification_path();
    let folder = site.dir();
    let own = [folder.to_str().expect("UTF-8"), secret.trim_start_matches('/'), "60321"];
    assert_clean(&files, &bytes, &[MARKERS, &own].concat());

    assert_eq!(fs::metadata(&file).expect("a bundle").permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["machine", "findings", "status", "configuration", "sizes"].map(|name| format!("{name}.json"));
    assert_eq!(names, [&expected.each_ref().map(String::as_str)[..], &["metrics.txt"]].concat());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    names.iter().for_each(|name| assert!(told.contains(name), "{name} is not announced: {told}"));
    let status = json(&files, "status.json");
    assert_eq!((&status["ready"], &status["participants"]), (&Value::Bool(true), &Value::from(1)));
    assert_eq!(json(&files, "machine.json")["version"], env!("CARGO_PKG_VERSION"));
    let configuration = json(&files, "configuration.json");
    assert_eq!(configuration["ingress"]["paths"][0], "notification-path-1");
    assert!(configuration["pull"]["hosts"][0].as_str().is_some_and(|host| host.starts_with("host-")));
    assert!(json(&files, "findings.json").as_array().is_some_and(|found| found.len() > 15));
    assert!(json(&files, "sizes.json")["audit"]["files"].as_u64().is_some_and(|files| files > 0));
    let (_, metrics) = files.last().expect("metrics");
    assert!(metrics.contains("studygate_participants{state=\"active\",study=\"study-"), "{metrics}");
}

#[test]
fn bundle_of_a_stopped_gateway_is_as_clean() {
    let site = marked();
    let file = site.scratch("bundle.zip");
    let output = site.run(&["support-bundle", "--offline", "--yes", "-o", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{output:?}");
    let (files, bytes) = opened(&file);
    assert_clean(&files, &bytes, MARKERS);
    assert_eq!(json(&files, "status.json"), Value::Null);
}

#[test]
fn faulty_configuration_is_told_of_by_its_place_alone() {
    let mut site = marked();
    site.edit_config(|text| text.replace("paths = [", "zqpaths = ["));
    let file = site.scratch("bundle.zip");
    let output = site.run(&["support-bundle", "--offline", "--yes", "-o", file.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{output:?}");
    let (files, bytes) = opened(&file);
    assert_clean(&files, &bytes, MARKERS);
    assert!(json(&files, "faults.json")[0]["line"].as_u64().is_some_and(|line| line > 1));
}

#[test]
fn bundle_is_written_only_when_asked_for_and_over_nothing() {
    let site = Site::stopped();
    let file = site.scratch("bundle.zip");
    let to = file.to_str().expect("UTF-8");
    let asked = site.run(&["support-bundle", "--offline", "-o", to]);
    assert_eq!((asked.status.code(), file.exists()), (Some(2), false), "nobody can be asked");
    fs::write(&file, "mine").expect("ours");
    let over = site.run(&["support-bundle", "--offline", "--yes", "-o", to]);
    assert_eq!((over.status.code(), fs::read(&file).expect("it stays")), (Some(73), b"mine".to_vec()));
}
