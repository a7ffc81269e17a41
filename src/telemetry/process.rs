//! The standard metrics of a process, read from `/proc/self` when they are asked for.

use std::fs;

use crate::model::time::UnixSeconds;
use crate::telemetry::{families::group, registry::Registry};

group! {
    /// The process.
    pub struct ProcessMetrics {
        /// Total user and system CPU time spent in seconds.
        cpu_seconds: Counter = "process_cpu_seconds_total" [],
        /// Number of open file descriptors.
        open_fds: IntGauge = "process_open_fds" [],
        /// Maximum number of open file descriptors.
        max_fds: IntGauge = "process_max_fds" [],
        /// Virtual memory size in bytes.
        virtual_memory: IntGauge = "process_virtual_memory_bytes" [],
        /// Resident memory size in bytes.
        resident_memory: IntGauge = "process_resident_memory_bytes" [],
        /// Number of OS threads in the process.
        threads: IntGauge = "process_threads" [],
        /// Start time of the process since unix epoch in seconds.
        start_time: Gauge = "process_start_time_seconds" [],
    }
}

/// What `/proc/self/stat` says, in the units it says it.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_ticks: u64,
    threads: i64,
    virtual_bytes: i64,
    resident_pages: i64,
}

impl ProcessMetrics {
    fn at_zero(&self) {}

    /// Registers the group for a process that started at this time, and keeps it up to date.
    ///
    /// The time is told because `/proc/stat`, with the time of the boot, is closed to the hardened unit.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus values are floats")]
    pub fn install(registry: &Registry, started: UnixSeconds) {
        let group = Self::register(registry);
        group.start_time.set(started.0 as f64);
        registry.on_scrape(Box::new(move || group.refresh()));
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus values are floats")]
    fn refresh(&self) {
        let ticks_a_second = rustix::param::clock_ticks_per_second().max(1) as f64;
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(parse_stat) {
            self.cpu_seconds.inc_by((stat.cpu_ticks as f64 / ticks_a_second - self.cpu_seconds.get()).max(0.0));
            self.threads.set(stat.threads);
            self.virtual_memory.set(stat.virtual_bytes);
            let page = i64::try_from(rustix::param::page_size()).unwrap_or(4096);
            self.resident_memory.set(stat.resident_pages.saturating_mul(page));
        }
        if let Ok(folder) = fs::read_dir("/proc/self/fd") {
            // One of them is the folder that is being read.
            self.open_fds.set(i64::try_from(folder.count()).unwrap_or(i64::MAX).saturating_sub(1));
        }
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.max_fds.set(limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX)));
    }
}

/// Fields after the command's name, which may itself hold spaces and brackets; numbers as in proc(5).
fn parse_stat(text: &str) -> Option<Stat> {
    let rest = text.rsplit_once(')')?.1;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        cpu_ticks: field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?,
        threads: field(20)?.parse().ok()?,
        virtual_bytes: field(23)?.parse().ok()?,
        resident_pages: field(24)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_past_a_command_name_with_spaces_and_brackets() {
        let text = "7 (a) b) S 1 7 7 0 -1 0 11 0 0 0 30 12 0 0 20 0 5 0 900 4096000 250 18446744073709551615";
        let stat = Stat { cpu_ticks: 42, threads: 5, virtual_bytes: 4_096_000, resident_pages: 250 };
        assert_eq!(parse_stat(text), Some(stat));
        assert_eq!(parse_stat("7 (a) S 1"), None);
    }

    #[test]
    fn own_process_has_memory_threads_and_a_start() {
        let registry = Registry::new();
        ProcessMetrics::install(&registry, UnixSeconds(1_795_132_800));
        let text = registry.render();
        for name in
            ["process_resident_memory_bytes", "process_threads", "process_start_time_seconds", "process_open_fds"]
        {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect("rendered");
            let value: f64 = line.split(' ').nth(1).expect("a value").parse().expect("a number");
            assert!(value > 0.0, "{line}");
        }
    }
}
