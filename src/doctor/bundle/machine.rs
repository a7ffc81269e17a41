//! Version and build, and what of the machine decides how it behaves.

use std::fs;

use crate::doctor::bundle::safe::Safe;
use crate::doctor::sentence::Shown;

const SYSTEMS: &[&str] =
    &["debian", "ubuntu", "raspbian", "fedora", "rhel", "rocky", "almalinux", "sles", "alpine", "nixos"];

pub(super) fn safe() -> Safe {
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let system = field(&release, "ID=").and_then(|name| Shown::one_of(name, SYSTEMS));
    Safe::members([
        ("version", Safe::words(env!("CARGO_PKG_VERSION"))),
        ("architecture", Safe::words(std::env::consts::ARCH)),
        ("library", Safe::words(library)),
        ("kernel", numbers(&kernel)),
        ("system", system.map_or_else(|| Safe::words("another"), Safe::Text)),
        ("system_version", numbers(field(&release, "VERSION_ID=").unwrap_or_default())),
        ("memory_kib", numbers(field(&memory, "MemTotal:").unwrap_or_default())),
        ("processors", Safe::number(std::thread::available_parallelism().map_or(0, usize::from))),
    ])
}

/// The value of a `NAME=value` line.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().trim_matches('"'))
}

/// The numbers that a text begins with, up to the first that is none.
fn numbers(text: &str) -> Safe {
    let begin =
        text.split(|character: char| !character.is_ascii_digit() && character != '.').next().unwrap_or_default();
    let numbers = begin.split('.').map_while(|digits| digits.parse::<usize>().ok());
    Safe::List(numbers.map(Safe::number).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_where_words_begin() {
        let of = |text: &str| numbers(text).json().to_string();
        assert_eq!(of("6.8.0-45-hospital"), "[6,8,0]");
        assert_eq!(of("16330036 kB"), "[16330036]");
        assert_eq!(of("hospital-6.8"), "[]");
    }
}
