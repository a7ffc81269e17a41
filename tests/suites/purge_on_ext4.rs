//! A purge on an ext4 image: nothing of who left opens with any key that is left on it, wherever its bytes still are, and
//! a power cut at any call that writes ends in a finished purge. Needs root, loop devices and Debian's `strace`.
//!
//! `cargo test --test purge_on_ext4` runs all; `cargo test --test purge_on_ext4 -- proof` one. A plain `cargo test`
//! leaves it out.

#![expect(clippy::print_stdout, reason = "a test without a harness tells its own progress")]

#[allow(dead_code, reason = "the suite uses a part of it")]
mod disk;
#[allow(dead_code, reason = "the suite uses a part of it")]
#[path = "../pulls/garmin.rs"]
mod garmin;
mod sealed_objects;
#[path = "../site/mod.rs"]
mod site;
mod tracer;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use memchr::memmem;
use serde_json::json;
use studygate::crypto::key::Key;
use studygate::simulate::callbacks::fault::Fault;
use studygate::simulate::file::{self, FileType};
use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::record::{Density, Record, day};
use studygate::simulate::user::Population;

use self::disk::Disk;
use self::garmin::{Garmin, MIDNIGHT, answer, notification, pulls, runs, wait};
use self::sealed_objects::{Keys, Object, bodies, held, of_owner, participant};
use self::site::Site;
use self::tracer::{attach, detach};

const STUDY: &str = "LEAVING";
/// Who leaves, and who never was a participant and leaves, too.
const LEAVES: usize = 0;
const STRANGER: usize = 3;
/// What changes the disk, and how often each may be called in a purge at most.
const CALLS: [&str; 7] = ["fsync", "fdatasync", "pwrite64", "write", "rename", "unlink", "ftruncate"];
const ROUNDS_MAX: usize = 400;
/// Of calls that come so often, every so many is cut off.
const STRIDE: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    assert!(rustix::process::getuid().is_root(), "these suites mount file systems; run them as root");
    let suites: [(&str, fn()); 2] = [
        ("proof", nothing_of_who_left_opens_with_a_key_that_is_left),
        ("power-cuts", power_cuts_end_in_finished_purges),
    ];
    for (name, suite) in suites {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("{name} …");
            suite();
            println!("{name} holds");
        }
    }
}

/// A site on a disk of its own that holds everything that a site can hold of somebody, killed before it could file the
/// last bodies.
struct Filled {
    // The disk goes last: the site's files are on it.
    site: Site,
    garmin: Garmin,
    population: Population,
    ledger: Ledger,
    records: Vec<Record>,
    disk: Disk,
}

fn filled(seed: u64, mib: u64) -> Filled {
    let (disk, garmin, population) = (Disk::of_mib(mib), Garmin::start(), Population::new(seed, 4));
    let mut site = garmin.stopped_site_in(&disk.mounted, "");
    site.edit_config(|text| format!("{text}\n[storage]\ndisk_reserve = \"8MiB\"\n"));
    site.start();
    site.add_study(STUDY, &["--unknown", "keep"]);
    for user in &population.users()[..STRANGER] {
        site.add_participant(STUDY, &site::code_of(user.index), user);
    }
    let user = population.user(LEAVES);
    let on = |number: i64| MIDNIGHT.plus(number * 86_400);
    let days = population.users().iter().flat_map(|user| (0..3).map(move |number| (user, number)));
    let mut records: Vec<Record> = days.flat_map(|(user, number)| day(user, on(number), Density::default())).collect();
    let found = |name: &str| records.iter().find(|record| record.user == LEAVES && record.summary_type == name);
    let revised = found("dailies").expect("a day has one").revised(1);
    let mut long = found("dailies").expect("a day has one").revised(2);
    long.content.insert("summaryId".to_owned(), json!(format!("{}-long", user.prefix)));
    long.content.insert("note".to_owned(), json!(Random::at(seed, &[]).hex(400_000)));
    records.extend([revised, long]);
    let mut ledger = Ledger::default();
    let mut push = |site: &Site, records: &[Record]| {
        let of_survivors: Vec<_> =
            records.iter().filter(|record| (1..STRANGER).contains(&record.user)).cloned().collect();
        let sending = ledger.sent(&of_survivors);
        site.push(&Notification::of(population.users(), records).to_json());
        ledger.acknowledged(sending);
    };
    records.chunks(50).for_each(|some| push(&site, some));
    site.push(&Notification::new().permissions(user, &["ACTIVITY_EXPORT", "HEALTH_EXPORT"], MIDNIGHT).to_json());
    let all = runs(user, 14);
    let bytes = file::of(user, &all[0], FileType::Fit).expect("a watch recorded it");
    let pings = [
        garmin.file(user, &all[0], "FIT", &bytes, Vec::new()),
        garmin.file(user, &all[1], "FIT", b"<html>sorry", Vec::new()),
        garmin.file(user, &all[2], "FIT", b"", vec![Fault::Status(410)]),
        garmin.window(user, "dailies", 900, &answer(user, 900, 1), vec![Fault::Status(503); 1000]),
    ];
    site.push(&notification(&pings));
    wait("the files, and an attempt at each of the others", || {
        let listed = pulls(&site, &["--all"]);
        site.metric("studygate_quarantine_items") == Some(1.0)
            && listed.len() == 2
            && listed.iter().all(|pull| pull["attempts"].as_u64() > Some(0))
    });
    site.wait_until_filed();
    let unfiled = format!(r#"{{"dailies":[{{"userId":"{}","summaryId":"{}-late"}}]}}"#, user.id, user.prefix);
    let noise = Random::at(seed, &[1]).hex(300_000);
    let large = unfiled.replace("-late\"", &format!("-later\",\"note\":\"{noise}\""));
    site.push(&large);
    site.push(&unfiled);
    site.kill();
    Filled { site, garmin, population, ledger, records, disk }
}

/// The root key, which is on the disk, too.
fn root_key(site: &Site) -> Key {
    let text = fs::read_to_string(site.configured(&["keys", "root_key"])).expect("a key file");
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.trim().as_bytes()).expect("hexadecimal digits");
    Key::from_bytes(bytes.try_into().expect("32 bytes"))
}

fn copy_of(folder: &Path, to: PathBuf) -> PathBuf {
    let status = Command::new("cp").arg("-a").arg(folder).arg(&to).status().expect("cp");
    assert!(status.success());
    to
}

/// Everything of who leaves and of the stranger, and the keys, as the disk holds them now.
fn recorded(filled: &mut Filled) -> (Vec<Object>, Keys, Vec<u8>, PathBuf) {
    let root = root_key(&filled.site);
    let data = copy_of(&filled.site.data_dir(), filled.site.scratch("data"));
    let bytes = filled.disk.bytes();
    let keys = Keys::found_in(&[&bytes], &root);
    let owners = [participant(&data, &site::code_of(LEAVES), &keys), held(&data, &keys)];
    let mut objects: Vec<_> = owners.iter().flat_map(|owner| of_owner(&data, owner, &keys)).collect();
    objects.extend(bodies(&bytes, &data, &keys.all, &filled.population.user(LEAVES).id));
    (objects, keys, bytes, data)
}

/// A disk without its blocks of zeros: what is searched for has none.
fn condensed(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(4096).filter(|block| block.iter().any(|byte| *byte != 0)).flatten().copied().collect()
}

fn leave(filled: &Filled) -> String {
    let [user, stranger] = [LEAVES, STRANGER].map(|place| filled.population.user(place));
    Notification::new().deregistration(user).deregistration(stranger).to_json()
}

fn receipt(site: &Site) -> serde_json::Value {
    site.cli_json(&["participant", "show", "--study", STUDY, "--code", &site::code_of(LEAVES)])["receipt"].clone()
}

fn nothing_of_who_left_opens_with_a_key_that_is_left() {
    let mut filled = filled(981, 256);
    let (objects, before, image, data) = recorded(&mut filled);
    let mut counts = BTreeMap::new();
    for object in &objects {
        assert!(object.opens(&before.all), "{} opens before the purge", object.what);
        *counts.entry(object.what).or_insert(0) += 1;
    }
    println!("  recorded: {counts:?}");
    let expected = [
        "pack head",
        "index",
        "records",
        "identity part",
        "large record",
        "participant",
        "links",
        "held",
        "permission",
        "ping",
        "pull state",
        "refused item",
        "refused file",
        "body",
        "large body",
    ];
    for what in expected {
        assert!(counts.contains_key(what), "the site has to hold a {what}");
    }

    filled.site.start();
    filled.site.wait_until_filed();
    filled.site.push(&leave(&filled));
    wait("the purge", || receipt(&filled.site)["times"]["compacted"].is_string());
    let rows = filled.site.export(STUDY).rows();
    assert_eq!(filled.ledger.differences(&rows), Vec::<String>::new(), "survivors' data open");
    assert!(filled.site.stop().success());

    let root = root_key(&filled.site);
    let after = condensed(&filled.disk.bytes());
    let keys = Keys::found_in(&[&after], &root);
    let remnants = objects.iter().filter(|object| object.is_in(&after)).count();
    println!(
        "  {} MiB of the disk are in use or were; {} keys are on it; {remnants} of {} objects have bytes on it still",
        after.len() >> 20,
        keys.all.len(),
        objects.len()
    );
    assert!(keys.all.len() > 8 && keys.epochs.len() == 1, "the survivors' keys are found, of one epoch");
    for object in &objects {
        assert!(!object.opens(&keys.all), "{} opens after the purge", object.what);
    }
    let gone = before.owners.iter().filter(|(id, _)| !keys.owners.iter().any(|(left, _)| left == id));
    let gone: Vec<_> = gone.flat_map(|(_, keys)| keys).chain(&before.epochs).collect();
    assert!(gone.len() >= 5);
    for key in gone {
        assert!(memmem::find(&after, key.expose()).is_none(), "a destroyed key stands on the disk");
    }
    let users = [LEAVES, STRANGER].map(|place| filled.population.user(place).clone());
    let records: Vec<_> =
        filled.records.iter().filter(|record| [LEAVES, STRANGER].contains(&record.user)).cloned().collect();
    let markers = studygate::simulate::markers::Markers::of(&users, &records);
    assert_eq!(markers.found_in(&after), None, "nothing stands in clear");
    assert_eq!(filled.garmin.markers(&users).found_in(&after), None, "no token either");

    // The search is one that finds: with the old slots put by, all of it would open, and without the epoch's none.
    let slot = |name: &str| fs::read(data.join("keyring").join(name)).expect("a slot");
    let [contents, epochs] =
        ["keyring", "epoch"].map(|name| [slot(&format!("{name}.0")), slot(&format!("{name}.1"))].concat());
    let without = Keys::found_in(&[&after, &contents], &root);
    assert!(!objects.iter().any(|object| object.opens(&without.all)), "the old keyring alone opens nothing");
    let with = Keys::found_in(&[&after, &contents, &epochs], &root);
    assert!(objects.iter().all(|object| object.opens(&with.all)), "with the old epoch's slot kept all of it opens");
    assert!(!image.is_empty());
}

/// Cuts the power at each call of a purge that writes, and looks at what the next start makes of it.
fn power_cuts_end_in_finished_purges() {
    let mut filled = filled(982, 128);
    // The last bodies are filed, so that the purge alone writes.
    filled.site.start();
    filled.site.wait_until_filed();
    filled.site.kill();
    let (objects, _, image, _) = recorded(&mut filled);
    let (mut cuts, mut late) = (0, 0);
    for call in CALLS {
        let (mut lived, cuts_before) = (false, cuts);
        for round in (1..=ROUNDS_MAX).step_by(if call.contains("write") { STRIDE } else { 1 }) {
            filled.disk.put(&image);
            let (was_killed, answered) = purge_with_cut(&mut filled, call, round);
            late += usize::from(was_killed && answered);
            check(&mut filled, &objects, answered, &format!("{call} {round}"));
            if !was_killed {
                println!("  {call}: cut off {} times, {round} calls at most", cuts - cuts_before);
                lived = true;
                break;
            }
            cuts += 1;
        }
        assert!(lived, "{call}: no round of {ROUNDS_MAX} was lived through");
    }
    assert!(cuts > 20 && late > 5, "{cuts} cuts, {late} of them behind the 200");
    println!("  {cuts} power cuts, {late} of them behind the notice's 200");
}

/// Deregisters while the `round`th call of this kind of any thread kills; whether one did, and whether the notice was
/// answered. From then on the disk is what had reached it.
fn purge_with_cut(filled: &mut Filled, call: &str, round: usize) -> (bool, bool) {
    filled.site.start();
    filled.site.wait_until_filed();
    let notice = leave(filled);
    let site = &mut filled.site;
    let tracer = attach(site.pid(), call, &format!("inject={call}:signal=KILL:when={round}"));
    let path = site.notification_path();
    let answered = site.client().post(&path, notice.as_bytes()).is_ok_and(|status| status == 200);
    let deadline = Instant::now() + PATIENCE;
    let first = site.data_dir().join("db");
    let was_killed = loop {
        if site.exited().is_some() {
            site.wait_for_end();
            break true;
        }
        if site.metric("studygate_purge_pending") == Some(0.0) && answered && !first.exists() {
            break false;
        }
        assert!(Instant::now() < deadline, "the purge has no end:\n{}", site.log());
        std::thread::sleep(Duration::from_millis(5));
    };
    detach(tracer);
    if !was_killed {
        site.kill();
    }
    filled.disk.cut_power();
    (was_killed, answered)
}

/// What was answered is done when the gateway is ready, and the data of the others are whole.
fn check(filled: &mut Filled, objects: &[Object], answered: bool, when: &str) {
    let notice = leave(filled);
    let site = &mut filled.site;
    site.start();
    if answered {
        assert_eq!(site.metric("studygate_purge_pending"), Some(0.0), "{when}: done before a port opens");
        assert!(receipt(site)["audit_entry"].is_number(), "{when}: there is a receipt");
    } else {
        // Garmin sends again what was not answered.
        site.push(&notice);
        site.wait_until_filed();
        wait("the purge", || receipt(site)["audit_entry"].is_number());
    }
    let rows = site.export(STUDY).rows();
    assert_eq!(filled.ledger.differences(&rows), Vec::<String>::new(), "{when}: survivors' data open");
    let verified = site.cli_json(&["audit", "verify"]);
    assert_eq!(verified["findings"], json!([]), "{when}");
    let ends = site.cli_json(&["audit", "list", "--act", "purge-carried-out"]);
    assert_eq!(ends["entries"].as_array().map(Vec::len), Some(1), "{when}: entered once");
    assert!(site.stop().success());
    let root = root_key(site);
    let keys = Keys::found_in(&[&filled.disk.bytes()], &root);
    for object in objects {
        assert!(!object.opens(&keys.all), "{when}: {} opens", object.what);
    }
}
