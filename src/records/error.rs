//! Why records cannot be read or written.

use std::{fmt, io};

use crate::crypto::seal::Tampered;
use crate::records::large;
use crate::store::engine;

/// Why a pack cannot be read or written.
#[derive(Debug)]
pub enum Error {
    /// A sealed object was altered or cut.
    Tampered,
    /// The owner's keys are gone.
    NoKeys,
    /// The engine failed.
    Engine(engine::Error),
    /// A file could not be read or written.
    Io(io::Error),
}

impl From<engine::Error> for Error {
    fn from(cause: engine::Error) -> Self {
        Self::Engine(cause)
    }
}

impl From<io::Error> for Error {
    /// A file that ends before what it is known to hold was cut.
    fn from(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::UnexpectedEof { Self::Tampered } else { Self::Io(cause) }
    }
}

impl From<Tampered> for Error {
    fn from(_: Tampered) -> Self {
        Self::Tampered
    }
}

impl From<large::Error> for Error {
    fn from(cause: large::Error) -> Self {
        match cause {
            large::Error::Tampered => Self::Tampered,
            large::Error::Io(cause) => cause.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tampered => {
                f.write_str("a sealed record does not open: it was altered or cut; restore it from a backup")
            }
            Self::NoKeys => f.write_str("the keys of these records are destroyed"),
            Self::Engine(cause) => cause.fmt(f),
            Self::Io(cause) => write!(f, "a file of the store cannot be read or written: {cause}"),
        }
    }
}

impl std::error::Error for Error {}
