//! Why a backup could not be made, reached or read.

use std::fmt;
use std::io;

use crate::backup::capsule::Closed;
use crate::backup::frame::Fault;
use crate::crypto::keyring;
use crate::disk::DiskLow;
use crate::records::error as records;
use crate::store::engine;
use crate::store::snapshot::Lost;

/// Why a backup could not be made, reached or read.
#[derive(Debug)]
pub enum Failure {
    /// There is no folder of backups.
    NoFolder,
    /// Another one is being made.
    Busy,
    /// What was to be backed up went while it was.
    Overtaken,
    /// The disk has no room for it.
    DiskLow,
    /// A row of the register does not open.
    Altered,
    /// The store failed.
    Engine(engine::Error),
    /// A record does not open.
    Records(records::Error),
    /// A keyring cannot be made.
    Keyring(keyring::Error),
    /// The file is not as it was made.
    Fault(Fault),
    /// Its capsule does not open.
    Closed(Closed),
    /// Reading or writing failed.
    Io(io::Error),
}

impl From<Lost> for Failure {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Busy => Self::Busy,
            Lost::Overtaken => Self::Overtaken,
            Lost::Engine(cause) => Self::Engine(cause),
        }
    }
}

impl From<engine::Error> for Failure {
    fn from(cause: engine::Error) -> Self {
        Self::Engine(cause)
    }
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Closed> for Failure {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl From<DiskLow> for Failure {
    fn from(DiskLow: DiskLow) -> Self {
        Self::DiskLow
    }
}

impl From<io::Error> for Failure {
    fn from(cause: io::Error) -> Self {
        if cause.kind() == io::ErrorKind::StorageFull { Self::DiskLow } else { Self::Io(cause) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder => f.write_str("no folder for backups is configured; set backup.dir"),
            Self::Busy => f.write_str("another backup is being made; try again when it is done"),
            Self::Overtaken => f.write_str("what was to be backed up changed too much meanwhile; try again"),
            Self::DiskLow => f.write_str("the disk of the backups has no room beside its reserve; free space on it"),
            Self::Altered => f.write_str("the register of backups does not open: it was altered; restore a backup"),
            Self::Engine(cause) => cause.fmt(f),
            Self::Records(cause) => cause.fmt(f),
            Self::Keyring(cause) => cause.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::Closed(closed) => closed.fmt(f),
            Self::Io(cause) => write!(f, "the backup cannot be written or read ({cause}); check the disk"),
        }
    }
}

impl std::error::Error for Failure {}
