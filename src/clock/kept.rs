//! The machine's clock, and whether the system says that something keeps it right.
//!
//! The kernel knows it, but the hardened unit may not ask: reading it is the same system call as setting it, and
//! `ProtectClock=` forbids that. So two are asked that anybody may ask:
//!
//! 1. `/run/systemd/timesync/synchronized`, which systemd-timesyncd makes once it has set the clock since the boot;
//! 2. where that file is not (chrony, ntpd): `timedatectl`, whose service reads it from the kernel.
//!
//! In a container there is often neither; then nobody knows.
//!
//! Never: waiting for longer than five seconds; asking in [`synchronised`](Clock::synchronised), which is called
//! often.

use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock::{Clock, Synchronised, SystemClock};
use crate::model::time::UnixSeconds;

/// Whoever is asked has this time to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// More than the answer has.
const ANSWER_BYTES_MAX: u64 = 64;

/// Whom to ask.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The file that is there once the clock was set from the network.
    pub mark: PathBuf,
    /// The program that prints `yes` or `no`, and its arguments.
    pub program: (OsString, Vec<OsString>),
}

/// The machine's clock with what was last said of it; not synchronised until somebody has been asked.
#[derive(Debug)]
pub struct KeptClock {
    sources: Sources,
    last: AtomicU8,
}

impl Default for Sources {
    fn default() -> Self {
        let asked = ["show", "--property=NTPSynchronized", "--value"].map(OsString::from);
        Self {
            mark: PathBuf::from("/run/systemd/timesync/synchronized"),
            program: (OsString::from("timedatectl"), asked.to_vec()),
        }
    }
}

impl KeptClock {
    /// A clock of which these know whether it is kept right.
    pub fn new(sources: Sources) -> Self {
        Self { sources, last: AtomicU8::new(Synchronised::No as u8) }
    }
}

impl Default for KeptClock {
    fn default() -> Self {
        Self::new(Sources::default())
    }
}

impl Clock for KeptClock {
    fn now(&self) -> UnixSeconds {
        SystemClock.now()
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn synchronised(&self) -> Synchronised {
        let last = self.last.load(Ordering::Relaxed);
        let known = [Synchronised::Yes, Synchronised::No].into_iter().find(|known| *known as u8 == last);
        known.unwrap_or(Synchronised::Unknown)
    }

    fn look(&self) {
        self.last.store(ask(&self.sources) as u8, Ordering::Relaxed);
    }
}

/// What the system says.
fn ask(sources: &Sources) -> Synchronised {
    if sources.mark.exists() {
        return Synchronised::Yes;
    }
    match answer(&sources.program).as_deref().map(str::trim) {
        Some("yes") => Synchronised::Yes,
        Some("no") => Synchronised::No,
        _ => Synchronised::Unknown,
    }
}

/// What a program prints, where it ends in time and well.
fn answer((program, arguments): &(OsString, Vec<OsString>)) -> Option<String> {
    let mut asked = Command::new(program);
    asked.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = asked.spawn().ok()?;
    let began = SystemClock.monotonic();
    let ended = loop {
        match child.try_wait() {
            Ok(None) if SystemClock.monotonic().saturating_sub(began) < ANSWER_WITHIN => thread::sleep(LOOK_EVERY),
            Ok(Some(status)) => break status.success(),
            Ok(None) | Err(_) => {
                child.kill().ok()?;
                child.wait().ok()?;
                break false;
            }
        }
    };
    let mut text = String::new();
    child.stdout.take()?.take(ANSWER_BYTES_MAX).read_to_string(&mut text).ok()?;
    ended.then_some(text)
}
