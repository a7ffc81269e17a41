//! Progress on a terminal, for what streams: how much has come, how fast, for how long; and the sum at the end.
//!
//! Never: a line where nobody sees it. Piped, there is the sum alone; with `NO_COLOR` no control character but the
//! carriage return.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use crate::cli::output;

/// A line is shown anew after so long.
const STEP: Duration = Duration::from_millis(250);
/// The rate is that of so long ago until now, about.
const RATE_OVER: Duration = Duration::from_secs(5);
const CLEAR_LINE: &str = "\u{1b}[K";

/// What shows the progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruments {
    /// Nothing.
    Quiet,
    /// A line that is written over and over.
    Line,
    /// The same, cleared by the terminal.
    ClearedLine,
}

/// How far a stream has come.
pub(super) struct Meter {
    instruments: Instruments,
    bytes: u64,
    started: Duration,
    shown: Duration,
    /// Where the rate is measured from: when, and how many bytes there were.
    since: (Duration, u64),
    /// Characters of the line that stands there.
    width: usize,
}

impl Instruments {
    /// What this process's stderr takes.
    pub(super) fn of_this_terminal() -> Self {
        match (io::stderr().is_terminal(), output::is_plain()) {
            (false, _) => Self::Quiet,
            (true, true) => Self::Line,
            (true, false) => Self::ClearedLine,
        }
    }
}

impl Meter {
    /// Nothing has come yet.
    pub(super) fn new(instruments: Instruments, now: Duration) -> Self {
        Self { instruments, bytes: 0, started: now, shown: now, since: (now, 0), width: 0 }
    }

    /// How much has come.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// So much more has come.
    pub(super) fn add(&mut self, bytes: usize, now: Duration) {
        if let Some(text) = self.told(bytes, now) {
            // Progress that cannot be shown is no reason to stop.
            if write!(io::stderr().lock(), "{text}").is_err() {}
        }
    }

    /// All has come.
    pub(super) fn done(&self, target: &Path) {
        let over = match self.instruments {
            Instruments::ClearedLine if self.width > 0 => format!("\r{CLEAR_LINE}"),
            Instruments::Line if self.width > 0 => format!("\r{:width$}\r", "", width = self.width),
            Instruments::Quiet | Instruments::Line | Instruments::ClearedLine => String::new(),
        };
        output::message(&format!("{over}{} ({} bytes)", target.display(), self.bytes));
    }

    /// What is to be written, where it is time.
    fn told(&mut self, bytes: usize, now: Duration) -> Option<String> {
        self.bytes += bytes as u64;
        if self.instruments == Instruments::Quiet || now.saturating_sub(self.shown) < STEP {
            return None;
        }
        self.shown = now;
        let (since, before) = self.since;
        let over = now.saturating_sub(since);
        let rate = (self.bytes - before) as f64 / over.as_secs_f64().max(0.001);
        if over >= RATE_OVER {
            self.since = (now, self.bytes);
        }
        let line =
            format!("{}  {}/s  {}", size(self.bytes as f64), size(rate), clock(now.saturating_sub(self.started)));
        let text = match self.instruments {
            Instruments::ClearedLine => format!("\r{line}{CLEAR_LINE}"),
            Instruments::Quiet | Instruments::Line => format!("\r{line:width$}", width = self.width),
        };
        self.width = self.width.max(line.chars().count());
        Some(text)
    }
}

fn size(bytes: f64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.iter().find(|(_, unit)| bytes >= *unit as f64) {
        Some((name, unit)) => format!("{:.1} {name}", bytes / *unit as f64),
        None => format!("{bytes:.0} B"),
    }
}

fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn line_says_how_much_how_fast_and_for_how_long() {
        let mut meter = Meter::new(Instruments::Line, seconds(10.0));
        assert_eq!(meter.told(512, seconds(10.1)), None, "it is not time");
        assert_eq!(meter.told((3 << 20) - 512, seconds(11.0)).as_deref(), Some("\r3.0 MiB  3.0 MiB/s  0:01"));
        let shorter = meter.told(100, seconds(75.0)).expect("it is time");
        assert_eq!(shorter, format!("\r{:25}", "3.0 MiB  47.3 KiB/s  1:05"), "nothing of the line before is left");
        assert_eq!(meter.bytes(), (3 << 20) + 100);
    }

    #[test]
    fn terminal_clears_its_line_and_a_pipe_sees_nothing() {
        let mut meter = Meter::new(Instruments::ClearedLine, seconds(0.0));
        assert_eq!(meter.told(10, seconds(1.0)).as_deref(), Some("\r10 B  10 B/s  0:01\u{1b}[K"));
        let mut meter = Meter::new(Instruments::Quiet, seconds(0.0));
        assert_eq!(meter.told(1 << 30, seconds(100.0)), None);
    }
}
