//! A gateway that is killed at every system call of a file's pull that writes. Needs Debian's `strace`.
//!
//! `cargo test --test file_pulls` runs it; a plain `cargo test` leaves it out. Of each kind of call the first one kills
//! in the first round, the second one in the second, and so on until a round lives through.

#![expect(clippy::print_stdout, reason = "a test without a harness tells its own progress")]

#[allow(dead_code, reason = "the suite uses a part of it")]
#[path = "../pulls/downloads.rs"]
mod downloads;
#[allow(dead_code, reason = "the suite uses a part of it")]
#[path = "../pulls/garmin.rs"]
mod garmin;
#[path = "../site/mod.rs"]
mod site;
#[allow(dead_code, reason = "the suite uses a part of it")]
#[path = "../pulls/stages.rs"]
mod stages;
mod tracer;

use std::thread;
use std::time::{Duration, Instant};

use self::downloads::Downloads;
use self::site::Site;
use self::stages::Stage;
use self::tracer::{attach, detach};

/// What changes the disk.
const CALLS: [&str; 7] = ["fsync", "fdatasync", "pwrite64", "write", "rename", "unlink", "ftruncate"];
/// More rounds than any call needs.
const ROUNDS_MAX: usize = 60;
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let mut downloads = Downloads::new(973);
    let (mut kills, mut broken) = (0, 0);
    for call in CALLS {
        let mut lived = false;
        for round in 1..=ROUNDS_MAX {
            let (was_killed, came) = pull_with_kill(&mut downloads, call, round);
            kills += usize::from(was_killed);
            broken += usize::from(!came);
            if !was_killed {
                assert!(came, "who lives through has the file");
                println!("  {call}: {} kills", round - 1);
                lived = true;
                break;
            }
        }
        assert!(lived, "{call}: no round of {ROUNDS_MAX} was lived through");
    }
    assert!(kills > 10, "strace has killed {kills} times only");
    downloads.check();
    println!("{kills} kills; {broken} downloads broke off and were told of, every other file is there once");
}

/// Pulls a file while the `round`th call of this kind of any thread kills; whether one did, and whether the file came.
fn pull_with_kill(downloads: &mut Downloads, call: &str, round: usize) -> (bool, bool) {
    let (notification, bytes) = downloads.next(Stage::LastByte, true);
    let site = &mut downloads.site;
    let inject = format!("inject={call}:signal=KILL:when={round}");
    let tracer = attach(site.pid(), call, &inject);
    let path = site.notification_path();
    let answered = site.client().post(&path, notification.as_bytes()).is_ok_and(|status| status == 200);
    let was_killed = killed_before_it_is_done(site);
    detach(tracer);
    if !was_killed {
        site.kill();
    }
    if !answered {
        // Garmin sends again what was not answered.
        site.start();
        site.push(&notification);
        site.wait_until_filed();
        site.kill();
    }
    (was_killed, downloads.outcome(&bytes))
}

/// Waits until the gateway is gone, or the pull is filed.
fn killed_before_it_is_done(site: &mut Site) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if site.exited().is_some() {
            site.wait_for_end();
            return true;
        }
        let is = |series: &str| site.metric(series) == Some(0.0);
        if is("studygate_journal_bodies") && is("studygate_pull_queue_length") && is_done(site) {
            return false;
        }
        assert!(Instant::now() < deadline, "the pull has no end:\n{}", site.log());
        thread::sleep(Duration::from_millis(5));
    }
}

fn is_done(site: &Site) -> bool {
    site.metric("studygate_pulls_total{result=\"done\",type=\"activityFiles\"}").is_some_and(|count| count > 0.0)
}
