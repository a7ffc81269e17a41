//! What a purge does to backups: the destroyed keys leave their capsules, and the receipt names those that were not
//! reached, until they are.

use crate::backup::Destroyed;
use crate::model::study::DataFate;
use crate::withdrawal::record::{Purge, Stage};
use crate::withdrawal::{Failure, Withdrawal};

impl Withdrawal {
    /// Takes the destroyed keys from the backups. One that is not there or cannot be written delays nothing else: it is
    /// named, and sought again.
    pub(super) fn reach_backups(&self, purges: &mut [Purge]) {
        let missed = self.parts.backups.reach(&self.destroyed());
        if !missed.is_empty() && !purges.is_empty() {
            tracing::warn!(backups = missed.len(), "a purge did not reach every backup; its receipt names them");
        }
        for purge in purges {
            // What was begun when the keys were gone never had them.
            let destroyed = purge.times.destroyed.unwrap_or_else(|| self.now());
            purge.backups_not_reached = missed.iter().filter(|missed| missed.made <= destroyed).cloned().collect();
        }
    }

    /// Whose keys were destroyed by a purge.
    fn destroyed(&self) -> Destroyed {
        let done = self.log.all(|purge| matches!(purge.stage, Stage::Destroyed | Stage::Erased));
        let of = |fate| done.iter().filter(|purge| purge.fate == fate).map(|purge| purge.owner).collect();
        Destroyed { owners: of(DataFate::Purge), identities: of(DataFate::Retain) }
    }

    /// Seeks the backups again that purges did not reach, and has receipts name no others any longer.
    pub fn seek_backups(&self) -> Result<(), Failure> {
        let missed = self.parts.backups.reach(&self.destroyed());
        let named = |purge: &Purge| purge.stage == Stage::Erased && !purge.backups_not_reached.is_empty();
        // A turn, so that no step of a purge is written between reading and writing.
        let _turn = self.parts.people.turn();
        let mut purges = self.log.all(named);
        purges.retain_mut(|purge| {
            let before = purge.backups_not_reached.len();
            purge.backups_not_reached.retain(|named| missed.iter().any(|missed| missed.id == named.id));
            purge.backups_not_reached.len() != before
        });
        self.log.write(&purges)
    }
}
