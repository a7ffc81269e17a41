//! What happened in a withdrawal, as a value, for whoever keeps an account of it.
//!
//! Never: anything of the person but the study and the code.

use crate::model::time::UnixSeconds;
use crate::withdrawal::record::{Cause, Purge, PurgeId, Why};

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub what: What,
    /// Of which purge; none where nothing is to be destroyed.
    pub purge: Option<PurgeId>,
    /// In which study.
    pub study: String,
    /// Of whom.
    pub code: String,
    /// When.
    pub at: UnixSeconds,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A participant is locked, and is purged later.
    Locked(Cause, Why),
    /// A participant has left.
    Left(Cause),
    /// One of a participant's connections has ended; others have not, and nothing is destroyed.
    LinkEnded,
    /// A person decided against the purge.
    Rejected,
    /// The keys are destroyed, rows and files are gone.
    Erased,
    /// The database was rewritten without what was deleted.
    Compacted,
}

impl Event {
    /// This happened to the purge.
    pub(super) fn of(purge: &Purge, what: What, at: UnixSeconds) -> Self {
        Self { what, purge: Some(purge.id), study: purge.study.clone(), code: purge.code.clone(), at }
    }
}
