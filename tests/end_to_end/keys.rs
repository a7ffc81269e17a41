//! Rotations and escrow through the real binary: the data stay, old keys open nothing, and faults end in a restart.

use std::fs;
use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use crate::first_of;
use crate::site::Site;

/// A site with a study and one record of one participant.
fn filled(name: &str, population: &Population) -> Site {
    let site = Site::new();
    site.add_study(name, &[]);
    site.add_participants(name, population);
    push(&site, population, "dailies");
    site
}

fn push(site: &Site, population: &Population, summary_type: &str) {
    site.push(&Notification::of(population.users(), &[first_of(population, 0, summary_type)]).to_json());
}

fn root_key(site: &Site) -> String {
    fs::read_to_string(site.configured(&["keys", "root_key"])).expect("a key file")
}

fn shown(site: &Site, member: &str) -> Value {
    site.cli_json(&["keys", "show"])[member].clone()
}

/// Runs a command that must fail with this code; what it says.
fn refused(site: &Site, arguments: &[&str], code: i32) -> String {
    let output = site.run(arguments);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
    told
}

/// What `serve` says before it ends with the code of a wrong configuration.
fn refused_start(site: &Site) -> String {
    let output = site.serve_command().stdin(Stdio::null()).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(78));
    String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned()
}

#[test]
fn rotated_epoch_and_replaced_root_key_lose_nothing_and_the_old_root_key_opens_nothing() {
    let population = Population::new(721, 1);
    let mut site = filled("TURNED", &population);
    let first = site.cli_json(&["keys", "rotate", "--reason", "once a year"]);
    assert_eq!((first["epoch"].as_u64(), first["epoch_destroyed"].as_u64()), (Some(2), Some(1)));
    push(&site, &population, "sleeps");

    let (old, old_name) = (root_key(&site), shown(&site, "root_key"));
    refused(&site, &["keys", "rotate", "--root"], 2);
    let replaced = site.cli_json(&["keys", "rotate", "--root", "--yes", "--reason", "it was seen"]);
    assert_eq!((replaced["epoch"].as_u64(), &replaced["note"]), (Some(3), &Value::Null));
    assert_ne!(replaced["root_key"], old_name);
    assert_ne!(root_key(&site), old);
    push(&site, &population, "epochs");
    let dataset = site.export("TURNED");
    assert!(["dailies", "sleeps", "epochs"].iter().all(|kind| dataset.records("P000", kind).len() == 1));

    site.kill();
    assert_eq!(shown(&site, "root_key"), replaced["root_key"], "down as up");
    let new = root_key(&site);
    fs::write(site.configured(&["keys", "root_key"]), &old).expect("ours to change");
    let told = refused_start(&site);
    let name = replaced["root_key"].as_str().expect("a fingerprint");
    assert!(told.contains("was replaced") && told.contains(name), "{told}");
    fs::write(site.configured(&["keys", "root_key"]), &new).expect("ours to change");
    site.start();
    assert_eq!(site.export("TURNED").records("P000", "sleeps").len(), 1);
    let entries = site.cli_json(&["audit", "list", "--act", "keys-rotated"]);
    assert_eq!(entries["entries"][0]["details"]["reason"], "once a year");
    assert_eq!(entries["entries"][1]["details"]["root_key"], replaced["root_key"]);
}

#[test]
fn new_root_key_in_a_file_of_its_own_is_to_be_installed_before_the_next_start() {
    let population = Population::new(722, 1);
    let mut site = filled("MOVED", &population);
    let old = root_key(&site);
    let file = site.scratch("next.key");
    let named = file.to_str().expect("UTF-8");
    let rotate = ["keys", "rotate", "--root", "--yes", "--reason", "it was seen", "-o", named];
    let told = site.run(&rotate);
    let said = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success() && said.contains("install it now"), "{said}");
    let new = fs::read_to_string(&file).expect("the new key");
    assert!(!said.contains(new.trim()) && !String::from_utf8_lossy(&told.stdout).contains(new.trim()));
    assert_eq!(root_key(&site), old, "the gateway leaves the configured file alone");
    refused(&site, &rotate, 73);
    assert_eq!(fs::read_to_string(&file).expect("the new key"), new, "never written over");
    push(&site, &population, "sleeps");
    site.wait_until_filed();
    site.stop();
    assert!(refused_start(&site).contains("was replaced"), "one clear sentence");
    fs::copy(&file, site.configured(&["keys", "root_key"])).expect("installed");
    site.start();
    assert_eq!(site.export("MOVED").records("P000", "sleeps").len(), 1);
    assert!(!site.log().contains(new.trim()) && !site.log().contains(old.trim()), "no key is logged");
}

#[test]
fn replacement_that_was_interrupted_beside_the_configured_key_is_settled_by_the_start() {
    let population = Population::new(723, 1);
    let mut site = filled("HALF", &population);
    site.wait_until_filed();
    let configured = site.configured(&["keys", "root_key"]);
    let beside = configured.with_extension("key.new");
    let old = root_key(&site);
    site.cli(&["keys", "rotate", "--root", "--yes", "--reason", "it was seen"]);
    let new = root_key(&site);
    site.kill();
    // As it was before the new key got its name.
    fs::rename(&configured, &beside).expect("ours to move");
    fs::write(&configured, &old).expect("ours to write");
    site.start();
    assert_eq!((root_key(&site), beside.exists()), (new.clone(), false), "finished");
    site.stop();
    // As it was before anything was sealed under the next key.
    fs::write(&beside, format!("{}\n", "5e".repeat(32))).expect("ours to write");
    site.start();
    assert_eq!((root_key(&site), beside.exists()), (new, false), "undone");
    assert_eq!(site.export("HALF").records("P000", "dailies").len(), 1);
}

#[test]
fn keyring_that_cannot_be_written_in_a_rotation_ends_the_gateway_and_its_next_start_has_everything() {
    let population = Population::new(724, 1);
    let mut site = filled("FAULTY", &population);
    let slot = site.data_dir().join("keyring/epoch.1");
    let whole = fs::read(&slot).expect("the slot of the next epoch");
    fs::remove_file(&slot).expect("ours to remove");
    fs::create_dir(&slot).expect("nothing can be written to a folder");
    let told = refused(&site, &["keys", "rotate"], 74);
    assert!(told.contains("start it again"), "{told}");
    assert_eq!(site.wait_for_end().code(), Some(74));
    fs::remove_dir(&slot).expect("ours to remove");
    fs::write(&slot, whole).expect("ours to write");
    site.start();
    push(&site, &population, "sleeps");
    let dataset = site.export("FAULTY");
    assert_eq!((dataset.records("P000", "dailies").len(), dataset.records("P000", "sleeps").len()), (1, 1));
    assert_eq!(site.cli_json(&["keys", "rotate"])["epoch"], 2);
}

#[test]
fn escrow_opens_with_age_and_its_verification_lasts_until_the_root_key_is_another() {
    const METRIC: &str = "studygate_escrow_verified_timestamp_seconds";
    let mut site = Site::new();
    let (key, other) = (site.key_path(), site.scratch("other.key"));
    let (file, key) = (site.scratch("escrow.age"), key.to_str().expect("UTF-8"));
    let named = file.to_str().expect("UTF-8");
    let identity: age::x25519::Identity = fs::read_to_string(key).expect("a key file").trim().parse().expect("a key");
    let recipient = identity.to_public().to_string();
    let create = ["keys", "escrow", "create", "--recipient", &recipient, "-o", named];
    site.cli(&create);
    refused(&site, &create, 73);
    let mut text = String::new();
    let sealed = fs::read(&file).expect("an escrow");
    let opened = age::Decryptor::new_buffered(&*sealed).expect("age");
    let mut opened = opened.decrypt(std::iter::once(&identity as &dyn age::Identity)).expect("opened");
    opened.read_to_string(&mut text).expect("text");
    assert_eq!(text, root_key(&site), "what age gives back is a key file");

    assert_eq!((shown(&site, "escrow_verified"), site.metric(METRIC)), (Value::Null, None));
    site.cli(&["dataset", "keygen", "-o", other.to_str().expect("UTF-8")]);
    refused(&site, &["keys", "escrow", "verify", named, "-i", other.to_str().expect("UTF-8")], 1);
    let verified = site.run(&["keys", "escrow", "verify", named, "-i", key]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(!String::from_utf8_lossy(&verified.stdout).contains(text.trim()));
    let at = shown(&site, "escrow_verified");
    assert!(at.is_string() && site.cli_json(&["status"])["keys"]["escrow_verified"] == at);
    site.kill();
    assert_eq!(shown(&site, "escrow_verified"), at, "down as up");
    site.start();
    assert!(site.metric(METRIC).is_some_and(|seconds| seconds > 1.7e9));

    site.cli(&["keys", "rotate", "--root", "--yes", "--reason", "it was seen"]);
    assert_eq!((shown(&site, "escrow_verified"), site.metric(METRIC)), (Value::Null, None));
    let told = refused(&site, &["keys", "escrow", "verify", named, "-i", key], 3);
    assert!(told.contains("another key"), "{told}");
    fs::write(&file, &sealed[..100]).expect("cut");
    refused(&site, &["keys", "escrow", "verify", named, "-i", key], 3);
    let acts = site.cli_json(&["audit", "list", "--act", "escrow-verified"]);
    let matches: Vec<_> =
        acts["entries"].as_array().expect("entries").iter().map(|e| &e["details"]["matches"]).collect();
    assert_eq!(matches, [&Value::Bool(true), &Value::Bool(false)]);
    // Made while the configured file holds another key than the one in force: refused, and nothing is left.
    let (again, configured) = (site.scratch("again.age"), site.configured(&["keys", "root_key"]));
    let new = root_key(&site);
    fs::write(&configured, &text).expect("ours to write");
    let create = ["keys", "escrow", "create", "--recipient", &recipient, "-o", again.to_str().expect("UTF-8")];
    assert!(refused(&site, &create, 1).contains("not the root key in force"));
    assert!(!again.exists());
    fs::write(&configured, new).expect("ours to write");
}
