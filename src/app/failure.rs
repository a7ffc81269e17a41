//! Why the gateway cannot start or go on, and whose business that is.

use std::fmt;

/// What kind of failure it is; the command line has an exit code for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The configuration, a key or a certificate is wrong, or the data directory is not for this version.
    Configuration,
    /// Another process is in the way; later it may not be.
    Busy,
    /// The disk or the store failed.
    Storage,
    /// A listener could not be opened.
    Listener,
    /// What was asked for is not done, because of something that was found.
    Refused,
}

/// Why the gateway cannot start or go on.
#[derive(Debug)]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// One sentence that says what to do.
    pub text: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, cause: impl fmt::Display) -> Self {
        Self { kind, text: cause.to_string() }
    }

    pub(crate) fn storage(cause: impl fmt::Display) -> Self {
        Self::new(Kind::Storage, cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}
