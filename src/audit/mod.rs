//! The audit log: who did what to which study or code, in an append-only file whose lines are chained, MACed and, at
//! its heads, signed.
//!
//! Limits: pieces of 16 MiB; lists of 1,000 entries; a head each hour, at each start and stop, and for each dataset.
//!
//! ```text
//! ready?  ─▶  intent, fsynced  ─▶  the act, durable  ─▶  entry, fsynced  ─▶  answer        a person's change
//! ready?  ─▶  data gathered                          ─▶  entry, fsynced  ─▶  answer        a reading
//! ```
//! An act is refused where its entry could not be written, and is not reported done before its entry is durable. Where
//! a crash comes between a person's act and its entry, the next start enters it as `interrupted`. Notices of Garmin's
//! are replayed then, and entered as repeated; what a purge has done and not entered is entered from the purge log.
//!
//! The last entry is kept beside the log and, some seconds later, in the store, so that a log that was cut on the box is
//! found. Whoever can put back the store, that file and the log as they were an hour ago is found by a head or a
//! checkpoint off the box alone.
//!
//! The log survives purges: the codes of who was purged stay in it, since they say what was done to whom.
//!
//! Never: a payload, a Garmin id, a token; a second write after a failed one.

pub mod act;
mod anchor;
pub mod entry;
pub mod folder;
mod intent;
mod known;
mod layer;
mod line;
pub mod list;
mod log;
mod opening;
pub mod report;
mod restart;
mod tail;
#[cfg(test)]
mod tests;
pub mod verify;
mod writer;

use std::fmt;
use std::io;
use std::sync::Arc;

pub use crate::audit::act::Act;
pub use crate::audit::entry::{Entry, Event, Who};
pub use crate::audit::intent::Intent;
pub use crate::audit::line::is_signed;
pub use crate::audit::log::{Log, Parts, Settings};
use crate::model::audit::AuditHead;
use crate::store::engine;

/// What was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// The number of the last entry.
    pub sequence: u64,
    /// How many entries there were.
    pub entries: u64,
    /// The last head among them.
    pub head: Option<AuditHead>,
}

/// Why nothing was entered.
#[derive(Clone, Debug)]
pub enum Error {
    /// The disk has no room for an entry.
    DiskLow,
    /// A write or an fsync failed; nothing is entered until a restart.
    Failed(Arc<io::Error>),
    /// The store failed.
    Store(engine::Error),
}

impl From<engine::Error> for Error {
    fn from(cause: engine::Error) -> Self {
        Self::Store(cause)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DiskLow => f.write_str("the disk has no room for an entry of the audit log; free space on it"),
            Self::Failed(cause) => write!(f, "the audit log failed: {cause}; check the disk and start again"),
            Self::Store(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Error {}
