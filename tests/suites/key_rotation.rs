//! A gateway that replaces its root key while each call to the disk is killed, fails with EIO, or finds no room. Needs
//! Debian's `strace`.
//!
//! `cargo test --test key_rotation` runs it; a plain `cargo test` leaves it out. Of each kind of call the first one is
//! hit in the first round, the second one in the second, and so on until a round's rotation needs no more of them.

#![expect(clippy::print_stdout, reason = "a test without a harness tells its own progress")]

#[path = "../site/mod.rs"]
mod site;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use studygate::model::time::UnixSeconds;
use studygate::simulate::health;
use studygate::simulate::notification::Notification;
use studygate::simulate::user::Population;

use self::site::Site;

const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);
/// What changes the disk in a rotation.
const CALLS: [&str; 5] = ["fsync", "fdatasync", "pwrite64", "write", "rename"];
const KILLED: &str = "signal=KILL";
const FAULTS: [&str; 3] = [KILLED, "error=EIO", "error=ENOSPC"];
/// More rounds than any call needs.
const ROUNDS_MAX: usize = 60;
const PATIENCE: Duration = Duration::from_secs(60);

/// A site whose keys are rotated, and how many records were acknowledged.
struct Rotated {
    site: Site,
    population: Population,
    records: usize,
}

fn main() {
    let mut rotated = Rotated::new();
    let (mut hits, mut refused) = (0, 0);
    for fault in FAULTS {
        // What threads wake each other with is written, too, and never fails.
        for call in CALLS.into_iter().filter(|call| fault == KILLED || *call != "write") {
            let mut spared = false;
            for round in 1..=ROUNDS_MAX {
                let (was_hit, was_done) = rotated.rotate_with(call, &format!("inject={call}:{fault}:when={round}"));
                hits += usize::from(was_hit);
                refused += usize::from(!was_done);
                if !was_hit {
                    assert!(was_done, "nothing was in its way");
                    println!("  {call}, {fault}: {} hits", round - 1);
                    spared = true;
                    break;
                }
            }
            assert!(spared, "{call}: no round of {ROUNDS_MAX} was spared");
        }
    }
    assert!(hits > 30, "strace has hit {hits} times only");
    rotated.check();
    println!("{hits} hits, {refused} rotations that were not confirmed; {} records are there", rotated.records);
}

impl Rotated {
    fn new() -> Self {
        let population = Population::new(741, 1);
        let site = Site::new();
        site.add_study("TURN", &[]);
        site.add_participants("TURN", &population);
        Self { site, population, records: 0 }
    }

    fn key_path(&self) -> PathBuf {
        self.site.configured(&["keys", "root_key"])
    }

    /// Takes a record, replaces the root key with this in the way, and starts again; whether something was hit, and
    /// whether the command succeeded.
    fn rotate_with(&mut self, call: &str, inject: &str) -> (bool, bool) {
        let day = i64::try_from(self.records).expect("few");
        let record = health::daily(self.population.user(0), MIDNIGHT.plus(day * 86_400));
        self.site.push(&Notification::of(self.population.users(), &[record]).to_json());
        self.records += 1;
        self.site.wait_until_filed();
        let before = fs::read_to_string(self.key_path()).expect("a key file");
        let trace = self.site.scratch("trace");
        let tracer = attach(self.site.pid(), call, inject, &trace);
        let told = self.site.run(&["keys", "rotate", "--root", "--yes", "--reason", "a test"]);
        let was_killed = told.status.code() != Some(0) && inject.contains(KILLED);
        if was_killed {
            self.site.wait_for_end();
        }
        detach(tracer);
        let was_hit = was_killed || fs::read_to_string(&trace).expect("a trace").contains("INJECTED");
        if !was_killed {
            self.site.kill();
        }
        let after = fs::read_to_string(self.key_path()).expect("the configured file is never gone");
        assert_eq!(after.trim().len(), 64, "the configured file always holds a whole key");
        self.site.start();
        let (log, in_force) = (self.site.log(), fs::read_to_string(self.key_path()).expect("a key file"));
        assert!(!self.beside().exists(), "a start leaves one key");
        assert!([&before, &after, &in_force].iter().all(|key| !log.contains(key.trim())), "no key is logged");
        if told.status.success() {
            assert_ne!(in_force, before, "what was told as done is done");
        }
        (was_hit, told.status.success())
    }

    fn beside(&self) -> PathBuf {
        let mut name = self.key_path().into_os_string();
        name.push(".new");
        name.into()
    }

    fn check(&mut self) {
        let dataset = self.site.export("TURN");
        assert_eq!(dataset.records("P000", "dailies").len(), self.records);
    }
}

/// Traces every thread of the process.
fn attach(pid: u32, call: &str, inject: &str, output: &Path) -> Child {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", inject, "-p", &pid.to_string(), "-o"]).arg(output);
    let tracer = strace.stdin(Stdio::null()).spawn().expect("strace is missing; install Debian's strace");
    let deadline = Instant::now() + PATIENCE;
    while !is_traced(pid) {
        assert!(Instant::now() < deadline, "strace does not attach");
        thread::sleep(Duration::from_millis(5));
    }
    tracer
}

fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map(|tasks| tasks.flatten().collect::<Vec<_>>());
    let is_traced = |task: &Path| {
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
    };
    tasks.is_ok_and(|tasks| !tasks.is_empty() && tasks.iter().all(|task| is_traced(&task.path())))
}

fn detach(mut tracer: Child) {
    let pid = i32::try_from(tracer.id()).ok().and_then(Pid::from_raw).expect("a process id");
    // Where the gateway is gone, so is its tracer.
    kill_process(pid, Signal::TERM).ok();
    tracer.wait().expect("a child of ours");
}
