//! Why filing had to stop.

use std::{fmt, io};

use crate::audit;
use crate::crypto::keyring;
use crate::journal;
use crate::people::refusal::Refusal;
use crate::queue;
use crate::records::error as records;
use crate::store::engine;
use crate::withdrawal;

/// Why filing had to stop.
#[derive(Debug)]
pub enum Failure {
    /// The journal cannot be read.
    Journal(journal::Error),
    /// Records cannot be read or written.
    Records(records::Error),
    /// The engine failed.
    Engine(engine::Error),
    /// The keyring failed.
    Keyring(keyring::Error),
    /// The directory of people could not be changed.
    People(Refusal),
    /// A file could not be written.
    Io(io::Error),
    /// The audit log could not be written.
    Audit(audit::Error),
    /// An item that the splitter took for well-formed is not.
    Inconsistent,
}

/// Failures by name, so that `?` reads well.
macro_rules! failure_from {
    ($($cause:ty => $variant:ident),* $(,)?) => {
        $(impl From<$cause> for Failure {
            fn from(cause: $cause) -> Self {
                Self::$variant(cause)
            }
        })*
    };
}

failure_from! {
    journal::Error => Journal,
    records::Error => Records,
    engine::Error => Engine,
    keyring::Error => Keyring,
    io::Error => Io,
    audit::Error => Audit,
}

impl From<queue::Error> for Failure {
    fn from(cause: queue::Error) -> Self {
        match cause {
            queue::Error::Store(cause) => Self::Engine(cause),
            queue::Error::Records(cause) => Self::Records(cause),
        }
    }
}

impl From<withdrawal::Failure> for Failure {
    fn from(cause: withdrawal::Failure) -> Self {
        match cause {
            withdrawal::Failure::Records(cause) => Self::Records(cause),
            withdrawal::Failure::Keyring(cause) => Self::Keyring(cause),
            withdrawal::Failure::People(cause) => Self::People(cause),
            withdrawal::Failure::Engine(cause) => Self::Engine(cause),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal(cause) => cause.fmt(f),
            Self::Records(cause) => cause.fmt(f),
            Self::Engine(cause) => cause.fmt(f),
            Self::Keyring(cause) => cause.fmt(f),
            Self::People(cause) => cause.fmt(f),
            Self::Io(cause) => write!(f, "a file of the store cannot be written: {cause}"),
            Self::Audit(cause) => cause.fmt(f),
            Self::Inconsistent => f.write_str("an item of the journal does not read as it was split"),
        }
    }
}

impl std::error::Error for Failure {}
