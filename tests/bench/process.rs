//! What the kernel tells of a process: memory, bytes written, processor time.

use std::fs;

/// MiB that are resident now.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// The most MiB that were resident since the last `reset_peak`.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    status(pid, "VmHWM:")
}

/// From now on the peak counts anew.
pub(crate) fn reset_peak(pid: u32) {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of ours");
}

/// Bytes that were sent to the storage layer since the process began.
pub(crate) fn bytes_written(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).expect("a process of ours");
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes:"));
    line.and_then(|value| value.trim().parse().ok()).expect("a count")
}

/// Seconds of processor time that all its threads, those that have ended as well, have taken so far.
pub(crate) fn processor_s(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process of ours");
    // Its name, the second field, may hold anything; the state follows, and the 12th and 13th from there on are meant.
    let (_, fields) = text.rsplit_once(") ").expect("Linux tells the name so");
    let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("a count"));
    ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64
}

/// The processes that this one started and that still run.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn status(pid: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of ours");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("Linux tells it");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a count of KiB");
    kib / 1024.0
}
