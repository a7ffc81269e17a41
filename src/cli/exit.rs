//! How a command ends: an exit code that scripts can rely on, and one sentence for the person.

use std::{fmt, io, process::ExitCode};

#[cfg(target_os = "linux")]
use crate::config::Fault;

/// Exit codes; contract §1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It failed.
    Failed = 1,
    /// It was called wrongly.
    Usage = 2,
    /// A check found problems.
    Findings = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// The gateway does not answer.
    Unreachable = 69,
    /// A file or folder cannot be made.
    CannotCreate = 73,
    /// Disk or store failed.
    Storage = 74,
    /// Try again later.
    TryAgain = 75,
    #[cfg(target_os = "linux")]
    /// The configuration is wrong.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The exit code.
    pub(super) exit: Exit,
    /// A sentence that says what to do, or several, one a line.
    pub(super) text: String,
}

impl Failure {
    /// A failure with this exit code and sentence.
    pub(super) fn new(exit: Exit, text: impl Into<String>) -> Failure {
        Failure { exit, text: text.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(target_os = "linux")]
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Failure {
        Failure::new(Exit::Configuration, fault.to_string())
    }
}

#[cfg(target_os = "linux")]
impl From<Vec<Fault>> for Failure {
    fn from(faults: Vec<Fault>) -> Failure {
        let lines: Vec<_> = faults.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Configuration, lines.join("\n"))
    }
}

/// Writing to stdout failed; a reader that went away is handled before this.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::new(Exit::Failed, format!("the output cannot be written ({error}); send it elsewhere"))
    }
}
