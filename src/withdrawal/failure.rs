//! Why a withdrawal could not go on.

use std::fmt;

use crate::crypto::keyring;
use crate::people::refusal::Refusal;
use crate::records::error as records;
use crate::store::engine;

/// Why a withdrawal could not go on.
#[derive(Debug)]
pub enum Failure {
    /// Records could not be deleted.
    Records(records::Error),
    /// Keys could not be destroyed.
    Keyring(keyring::Error),
    /// The directory could not be changed.
    People(Refusal),
    /// Rows could not be deleted.
    Engine(engine::Error),
    /// The purge log was altered.
    Altered,
}

impl From<records::Error> for Failure {
    fn from(cause: records::Error) -> Self {
        Self::Records(cause)
    }
}

impl From<keyring::Error> for Failure {
    fn from(cause: keyring::Error) -> Self {
        Self::Keyring(cause)
    }
}

impl From<Refusal> for Failure {
    fn from(cause: Refusal) -> Self {
        Self::People(cause)
    }
}

impl From<engine::Error> for Failure {
    fn from(cause: engine::Error) -> Self {
        Self::Engine(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(cause) => cause.fmt(f),
            Self::Keyring(cause) => cause.fmt(f),
            Self::People(cause) => cause.fmt(f),
            Self::Engine(cause) => cause.fmt(f),
            Self::Altered => f.write_str("the purge log does not open: it was altered; restore the last backup"),
        }
    }
}

impl std::error::Error for Failure {}
