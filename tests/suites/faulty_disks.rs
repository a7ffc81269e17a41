//! What disks do to a gateway: power cuts, no room, failing fsyncs. Needs root, loop devices and Debian's `strace`.
//!
//! `cargo test --test faulty_disks` runs all; `cargo test --test faulty_disks -- full-disk` one. A plain
//! `cargo test` leaves it out.

#![expect(clippy::print_stdout, reason = "a test without a harness tells its own progress")]

#[allow(dead_code, reason = "the suite uses a part of it")]
mod disk;
#[path = "../site/mod.rs"]
mod site;

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use studygate::model::time::UnixSeconds;
use studygate::simulate::health;
use studygate::simulate::ledger::Ledger;
use studygate::simulate::notification::Notification;
use studygate::simulate::random::Random;
use studygate::simulate::user::Population;

use self::disk::Disk;
use self::site::{Site, code_of, load::Load};

const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);
const POWER_CUTS: u64 = 12;
const SENDERS: usize = 4;
const FILLER_BYTES: usize = 96 << 20;

type Suite = (&'static str, fn());

const SUITES: &[Suite] = &[
    ("power-cuts", nothing_acknowledged_is_lost_by_power_cuts),
    ("full-disk", full_disk_refuses_new_bodies_and_keeps_what_it_answered),
    ("failing-fsync", failing_fsync_stops_the_gateway_and_loses_nothing),
];

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    assert!(rustix::process::getuid().is_root(), "these suites mount file systems; run them as root");
    for (name, suite) in SUITES {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            println!("{name} …");
            suite();
            println!("{name} holds");
        }
    }
}

/// A power cut is a copy of the disk as it was when the gateway was killed, before the kernel wrote what it had not
/// yet written; the gateway goes on from the copy.
fn nothing_acknowledged_is_lost_by_power_cuts() {
    let mut disk = Disk::of_mib(512);
    let population = Population::new(71, SENDERS);
    let mut site = site_on(&disk);
    site.start();
    site.add_study("CUTS", &["--unknown", "keep"]);
    site.add_participants("CUTS", &population);
    let load = Load::on(&site, &population, MIDNIGHT);
    let mut random = Random::at(71, &[]);
    thread::scope(|scope| {
        let sending = load.begin(scope, &site);
        for _ in 0..POWER_CUTS {
            load.wait_for(1 + usize::try_from(random.below(80)).expect("few"));
            site.kill();
            disk.cut_power();
            site.start();
        }
        drop(sending);
    });
    let ledger = load.into_ledger();
    assert_eq!(ledger.differences(&site.export("CUTS").rows()), Vec::<String>::new());
    println!("  {POWER_CUTS} power cuts, {} records acknowledged", ledger.records_acknowledged());
}

fn full_disk_refuses_new_bodies_and_keeps_what_it_answered() {
    let disk = Disk::of_mib(192);
    let population = Population::new(72, 2);
    let mut site = site_on(&disk);
    site.edit_config(|text| format!("{text}\n[storage]\ndisk_reserve = \"16MiB\"\n"));
    // What somebody else keeps on the disk, and takes away when it is full.
    let filler = disk.mounted.join("filler");
    fs::write(&filler, vec![0x5a; FILLER_BYTES]).expect("room");
    site.start();
    site.add_study("FULL", &["--unknown", "keep"]);
    site.add_participants("FULL", &population);
    let mut ledger = Ledger::default();
    let mut random = Random::at(72, &[]);
    let refusal = (0..1000).find_map(|number| {
        let mut record = health::daily(population.user(0), MIDNIGHT.plus(number * 86_400));
        // Random digits do not compress.
        record.content.insert("note".to_owned(), json!(random.hex(2_000_000)));
        let sending = ledger.sent(std::slice::from_ref(&record));
        let status = site.post(&Notification::of(population.users(), &[record]).to_json());
        if status == 200 {
            ledger.acknowledged(sending);
            return None;
        }
        Some(status)
    });
    assert_eq!(refusal, Some(503), "a disk of 192 MiB is full some time");
    assert!(ledger.records_acknowledged() > 10);
    let leaving = Notification::new().deregistration(population.user(1)).to_json();
    assert_eq!(site.post(&leaving), 200, "a deregistration may use the reserve");
    let left = receipt_of(&site, "FULL", &code_of(1));
    assert!(left["times"]["keys_destroyed"].is_string() && left["times"]["erased"].is_string(), "{left}");
    assert_eq!(left["database"].as_str() == Some("compacted"), left["times"]["compacted"].is_string(), "{left}");
    let refused = site.run(&["export", "--study", "FULL", "-o", &site.scratch("refused").display().to_string()]);
    assert!(!refused.status.success(), "an export takes room");
    assert_eq!(
        site.post(&Notification::new().deregistration(population.user(1)).to_json()),
        200,
        "the reserve is whole"
    );
    assert!(site.stop().success());
    let mut serve = site.serve_command();
    serve.stdin(Stdio::null());
    site.start_without_waiting(serve);
    site.wait_until_alive();
    fs::remove_file(&filler).expect("ours");
    while site.metric("studygate_disk_available_bytes").is_none_or(|bytes| bytes < FILLER_BYTES as f64) {
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ledger.differences(&site.export("FULL").rows()), Vec::<String>::new(), "after a start on a full disk");
}

/// The receipt of a participant who leaves, once there is one.
fn receipt_of(site: &Site, study: &str, code: &str) -> Value {
    for _ in 0..600 {
        let shown = site.cli_json(&["participant", "show", "--study", study, "--code", code]);
        if shown["receipt"].is_object() {
            return shown["receipt"].clone();
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the purge did not end within a minute:\n{}", site.log());
}

fn failing_fsync_stops_the_gateway_and_loses_nothing() {
    let population = Population::new(73, SENDERS);
    let disk = Disk::of_mib(512);
    let mut site = site_on(&disk);
    site.start();
    site.add_study("EIO", &["--unknown", "keep"]);
    site.add_participants("EIO", &population);
    let load = Load::on(&site, &population, MIDNIGHT);
    thread::scope(|scope| {
        let sending = load.begin(scope, &site);
        for _ in 0..3 {
            load.wait_for(40);
            let mut strace = Command::new("strace");
            strace.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"]);
            strace.args(["-o", "/dev/null", "-p", &site.pid().to_string()]);
            let mut tracer = strace.spawn().expect("strace is missing; install Debian's strace");
            let status = site.wait_for_end();
            tracer.wait().expect("a child of ours");
            assert_eq!(status.code(), Some(74), "the gateway says that its disk failed:\n{}", site.log());
            site.start();
        }
        drop(sending);
    });
    let ledger = load.into_ledger();
    assert_eq!(ledger.differences(&site.export("EIO").rows()), Vec::<String>::new());
}

fn site_on(disk: &Disk) -> Site {
    Site::stopped_in(&disk.mounted)
}
