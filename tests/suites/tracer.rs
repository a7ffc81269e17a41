//! strace on a running gateway. Needs Debian's `strace`.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

/// Traces every thread of the process, or finds it dead.
pub(crate) fn attach(pid: u32, call: &str, inject: &str) -> Child {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", &format!("trace={call}"), "-e", inject, "-o", "/dev/null", "-p", &pid.to_string()]);
    let tracer = strace.stdin(Stdio::null()).spawn().expect("strace is missing; install Debian's strace");
    let deadline = Instant::now() + PATIENCE;
    // What it does of itself may have killed it already.
    while !is_traced(pid) && !is_dead(pid) {
        assert!(Instant::now() < deadline, "strace does not attach");
        thread::sleep(Duration::from_millis(5));
    }
    tracer
}

fn is_dead(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("State:")).is_none_or(|state| state.contains('Z'))
}

fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map(|tasks| tasks.flatten().collect::<Vec<_>>());
    let is_traced = |task: &Path| {
        let status = fs::read_to_string(task.join("status")).unwrap_or_default();
        status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|tracer| tracer.trim() != "0"))
    };
    tasks.is_ok_and(|tasks| !tasks.is_empty() && tasks.iter().all(|task| is_traced(&task.path())))
}

pub(crate) fn detach(mut tracer: Child) {
    let pid = i32::try_from(tracer.id()).ok().and_then(Pid::from_raw).expect("a process id");
    // Where the gateway is gone, so is its tracer.
    kill_process(pid, Signal::TERM).ok();
    tracer.wait().expect("a child of ours");
}
