//! Rotations that nobody leaves by: the epoch is replaced, and what still lies in the journal stays readable.

use std::sync::{MutexGuard, PoisonError};

use crate::crypto::keyring::{self, Change, JournalGeneration};
use crate::withdrawal::Withdrawal;

impl Withdrawal {
    /// Has bodies be wrapped under another generation from here on. Those before it go with the next epoch, once
    /// nothing in the journal needs them.
    pub fn next_generation(&self) -> Result<JournalGeneration, keyring::Error> {
        self.parts.keyring.update(&[Change::NextJournalGeneration])?;
        Ok(self.parts.keyring.journal_current().0)
    }

    /// Does this with what a rotation may destroy beside the epoch; no purge destroys anything meanwhile.
    pub fn rotate<T>(&self, rotate: impl FnOnce(&[Change]) -> T) -> T {
        let _alone = self.rotating();
        let changes: Vec<_> = self.closed_generations().map(Change::DestroyJournalBefore).into_iter().collect();
        rotate(&changes)
    }

    pub(super) fn rotating(&self) -> MutexGuard<'_, ()> {
        self.rotating.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
