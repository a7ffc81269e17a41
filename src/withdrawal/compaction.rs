//! Compaction after a purge: deleted rows leave the database's files only when the live ones are written anew.
//!
//! A small database is rewritten at once. Writing a large one anew takes a while, in which nothing is filed: that
//! waits for an hour in which little comes, and for at most most of a day.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use crate::model::time::UnixSeconds;
use crate::store::engine::{self, Compacted};
use crate::withdrawal::event::What;
use crate::withdrawal::record::{Compaction, Purge, Stage};
use crate::withdrawal::{Event, Failure, Withdrawal};

/// A database up to this size is rewritten at once.
const SMALL_BYTES: u64 = 256 << 20;
/// A larger one when nothing waits to be filed, but not before this time, in seconds.
const QUIET_AFTER: i64 = 3600;
/// And at the latest after this.
const AT_THE_LATEST: i64 = 20 * 3600;
/// After a failure it is tried again then, in seconds.
const AGAIN_AFTER: i64 = 300;
/// A disk with less free space takes no row that says so.
const ROW_ROOM_BYTES: u64 = 4 << 20;

/// Whether a database of this size is rewritten, so long after the purge.
pub fn is_due(bytes: u64, waited: i64, quiet: bool) -> bool {
    bytes <= SMALL_BYTES || waited >= AT_THE_LATEST || (quiet && waited >= QUIET_AFTER)
}

impl Withdrawal {
    /// Rewrites the database where a purge needs it and it is time. Everything deleted is gone from its files then.
    pub fn compact_if_due(&self) -> Result<Vec<Event>, Failure> {
        if !self.uncompacted.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let now = self.now();
        let mut next = self.next_compaction.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *next {
            return Ok(Vec::new());
        }
        let mut purges = self.log.all(needs_compaction);
        let Some(oldest) = purges.iter().filter_map(|purge| purge.times.erased).min() else {
            self.uncompacted.store(false, Ordering::Release);
            return Ok(Vec::new());
        };
        let quiet = self.parts.journal.backlog().0 == 0;
        let (bytes, waited) = (self.parts.engine.bytes(), now.0.saturating_sub(oldest.0));
        if !is_due(bytes, waited, quiet) {
            return Ok(Vec::new());
        }
        *next = now.plus(AGAIN_AFTER);
        match self.parts.engine.compact(self.parts.space.available()) {
            Ok(Compacted::Done) => self.compacted(&mut purges),
            Ok(Compacted::InUse) => Ok(Vec::new()),
            Ok(Compacted::NoRoom) => self.waits_for_space(purges),
            Err(engine::Error::Poisoned) => Err(Failure::Engine(engine::Error::Poisoned)),
            Err(error) => {
                tracing::error!(%error, "the database could not be compacted after a purge; it is tried again");
                Ok(Vec::new())
            }
        }
    }

    /// A purge has deleted rows: they are to leave the files of the database.
    pub(super) fn compaction_wanted(&self) {
        *self.next_compaction.lock().unwrap_or_else(PoisonError::into_inner) = UnixSeconds(0);
        self.uncompacted.store(true, Ordering::Release);
    }

    fn compacted(&self, purges: &mut [Purge]) -> Result<Vec<Event>, Failure> {
        let now = self.now();
        for purge in &mut *purges {
            (purge.compaction, purge.times.compacted) = (Compaction::Done, Some(now));
        }
        self.log.write(purges)?;
        self.uncompacted.store(false, Ordering::Release);
        tracing::info!(purges = purges.len(), bytes = self.parts.engine.bytes(), "the database was compacted");
        Ok(purges.iter().map(|purge| Event::of(purge, What::Compacted, now)).collect())
    }

    /// Where the disk takes not even that, it is said in memory alone, and found out again after a restart.
    fn waits_for_space(&self, mut purges: Vec<Purge>) -> Result<Vec<Event>, Failure> {
        purges.retain(|purge| purge.compaction == Compaction::Pending);
        if purges.is_empty() {
            return Ok(Vec::new());
        }
        purges.iter_mut().for_each(|purge| purge.compaction = Compaction::WaitsForSpace);
        tracing::warn!("the disk has no room to compact the database after a purge; free space on it");
        if self.parts.space.available() < ROW_ROOM_BYTES {
            self.log.keep(&purges);
        } else {
            self.log.write(&purges)?;
        }
        Ok(Vec::new())
    }
}

/// Whether rows that the purge deleted may still stand in the database's files.
pub(super) fn needs_compaction(purge: &Purge) -> bool {
    purge.stage == Stage::Erased && purge.compaction != Compaction::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_database_is_rewritten_at_once_and_a_large_one_within_a_day() {
        let large = SMALL_BYTES + 1;
        let cases = [
            (0, 0, false, true),
            (SMALL_BYTES, 0, false, true),
            (large, 0, true, false),
            (large, QUIET_AFTER, true, true),
            (large, QUIET_AFTER, false, false),
            (large, AT_THE_LATEST - 1, false, false),
            (large, AT_THE_LATEST, false, true),
        ];
        for (bytes, waited, quiet, expected) in cases {
            assert_eq!(is_due(bytes, waited, quiet), expected, "{bytes} {waited} {quiet}");
        }
    }
}
