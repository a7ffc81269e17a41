//! What a withdrawal destroys: counted first, then the keys with the epoch, then rows and files.

use crate::crypto::keyring::{Change, JournalGeneration};
use crate::journal::Position;
use crate::model::id::OwnerId;
use crate::model::study::DataFate;
use crate::model::time::UnixSeconds;
use crate::store::engine::{SITE, table};
use crate::withdrawal::event::What;
use crate::withdrawal::places::{count_rows, erase_identifying_rows, erase_rows};
use crate::withdrawal::record::{Counts, Purge, Stage};
use crate::withdrawal::{Event, Failure, Place, Withdrawal};

/// How far destroyed keys are sought.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    HereAlone,
    BackupsToo,
}

impl Withdrawal {
    /// Erases what is due; all of it shares one rotation of the epoch.
    pub fn carry_out(&self, filed: Position) -> Result<Vec<Event>, Failure> {
        let owners = self.ready(filed);
        let purges = self.erase(&owners, Extent::BackupsToo)?;
        self.due().retain(|due| !owners.contains(&due.owner));
        let records: u64 = purges.iter().map(|purge| purge.destroyed.records).sum();
        let bytes: u64 = purges.iter().map(|purge| purge.destroyed.bytes).sum();
        tracing::info!(owners = owners.len(), records, bytes, epoch = self.parts.keyring.epoch(), "purged");
        Ok(purges.iter().map(|purge| Event::of(purge, What::Erased, self.now())).collect())
    }

    /// Destroys what was held for these connections and has been sent on to those who are linked to them. Backups keep
    /// it until the next purge: nobody has left, and where such a backup is restored nothing else has it.
    pub fn drop_held(&self, owners: &[OwnerId]) -> Result<(), Failure> {
        if !owners.is_empty() {
            self.erase(owners, Extent::HereAlone)?;
        }
        Ok(())
    }

    /// Destroys what nobody linked in time, `hold_for` seconds after it first came; returns how many connections.
    pub fn expire_held(&self, now: UnixSeconds, hold_for: i64) -> Result<usize, Failure> {
        let mut turn = self.parts.people.turn();
        let owners = self.parts.people.expired_held(now, hold_for);
        if owners.is_empty() {
            return Ok(0);
        }
        // From here on nobody can link what is about to go, and a restart goes on; it ends with this look at expiry.
        let connections: Vec<_> =
            owners.iter().filter_map(|owner| Some(turn.directory().held_owner(owner)?.digest)).collect();
        turn.tombstone(&connections, now);
        turn.commit()?;
        self.erase(&owners, Extent::BackupsToo)?;
        tracing::info!(connections = owners.len(), "held data that nobody linked in time are destroyed");
        Ok(owners.len())
    }

    /// Ends purges whose keys were destroyed when the gateway stopped, and what else has rows and no keys.
    pub(super) fn resume_destroyed(&self) -> Result<(), Failure> {
        let keyless = self.parts.people.keyless();
        let mut purges = self.log.all(|purge| self.is_destroyed(purge));
        if keyless.is_empty() && purges.is_empty() {
            return Ok(());
        }
        for purge in &mut purges {
            purge.times.destroyed.get_or_insert(self.now());
        }
        let retained: Vec<_> = retained(&purges);
        let owners = purges.iter().map(|purge| &purge.owner).chain(keyless).copied().collect::<Vec<_>>();
        self.reach_backups(&mut purges);
        self.erase_stored(&owners, &retained)?;
        self.forget(&owners, &retained, &mut purges)
    }

    /// The steps from the tombstone to the last row; an interruption anywhere leaves the owner due.
    fn erase(&self, owners: &[OwnerId], extent: Extent) -> Result<Vec<Purge>, Failure> {
        let _alone = self.rotating();
        let mut purges: Vec<_> = owners.iter().filter_map(|owner| self.log.open_of(owner)).collect();
        let retained = retained(&purges);
        self.count(&mut purges)?;
        let mut turn = self.parts.people.turn();
        // While the row that says the code can still be read: after the keys it cannot.
        let erased = || owners.iter().filter(|owner| !retained.contains(owner));
        erased().for_each(|owner| turn.retire_code(owner, self.now()));
        self.commit(turn, &purges, Place::First)?;

        owners.iter().for_each(|owner| self.parts.queue.forget(owner));
        let mut changes: Vec<_> = erased().map(|owner| Change::Destroy(*owner)).collect();
        changes.extend(retained.iter().map(|owner| Change::DestroyIdentity(*owner)));
        changes.extend(self.closed_generations().map(Change::DestroyJournalBefore));
        self.parts.keyring.rotate(&changes)?;
        for purge in &mut purges {
            (purge.stage, purge.times.destroyed) = (Stage::Destroyed, Some(self.now()));
        }
        self.log.write(&purges)?;

        if extent == Extent::BackupsToo {
            self.reach_backups(&mut purges);
        }
        self.erase_stored(owners, &retained)?;
        self.forget(owners, &retained, &mut purges)?;
        Ok(purges)
    }

    /// What is about to go, written down while it can be counted.
    fn count(&self, purges: &mut [Purge]) -> Result<(), Failure> {
        let (engine, catalog) = (&*self.parts.engine, &self.parts.catalog);
        let ownerless = if purges.is_empty() { 0 } else { count_rows(engine, &SITE, table::QUARANTINE)? };
        for purge in purges {
            let (owner, now) = (purge.owner, self.now());
            let (records, bytes) = match purge.fate {
                DataFate::Purge => (catalog.count(&owner), catalog.stored_bytes(&owner)),
                DataFate::Retain => (0, catalog.identity_bytes(&owner)),
            };
            purge.destroyed = Counts {
                records,
                bytes,
                pulls: count_rows(engine, owner.as_bytes(), table::PULL)?,
                quarantined: count_rows(engine, owner.as_bytes(), table::QUARANTINE)?,
                links: purge.destroyed.links,
            };
            purge.ownerless = ownerless;
            purge.ownerless_until = (ownerless > 0).then(|| now.plus(self.parts.settings.quarantine_for));
            purge.epoch = Some(self.parts.keyring.epoch());
            (purge.stage, purge.times.counted) = (Stage::Destroying, Some(now));
        }
        Ok(())
    }

    /// Rows and files, whose keys are gone.
    fn erase_stored(&self, owners: &[OwnerId], retained: &[OwnerId]) -> Result<(), Failure> {
        let (engine, catalog) = (&*self.parts.engine, &self.parts.catalog);
        for owner in owners {
            if retained.contains(owner) {
                erase_identifying_rows(engine, &catalog.blobs, owner)?;
            } else {
                catalog.erase(owner)?;
                erase_rows(engine, &catalog.blobs, owner)?;
            }
        }
        Ok(())
    }

    /// The last rows that name the owners, and that all of it is done.
    fn forget(&self, owners: &[OwnerId], retained: &[OwnerId], purges: &mut [Purge]) -> Result<(), Failure> {
        let now = self.now();
        let mut turn = self.parts.people.turn();
        for owner in owners {
            turn.held_gone(owner);
            if retained.contains(owner) {
                turn.retain(owner);
            } else {
                turn.erase(owner, now);
            }
        }
        for purge in &mut *purges {
            (purge.stage, purge.times.erased) = (Stage::Erased, Some(now));
        }
        self.commit(turn, purges, Place::Last)?;
        if !purges.is_empty() {
            self.compactor.want();
        }
        Ok(())
    }

    /// Whether the keys of a purge under way are destroyed.
    fn is_destroyed(&self, purge: &Purge) -> bool {
        let keys = self.parts.keyring.owner(&purge.owner);
        let gone = match purge.fate {
            DataFate::Purge => keys.is_none(),
            DataFate::Retain => keys.is_none_or(|keys| keys.identity.is_none()),
        };
        purge.is_open() && purge.stage >= Stage::Destroying && gone
    }

    /// The oldest generation that a body still needs: those before it may go.
    pub(super) fn closed_generations(&self) -> Option<JournalGeneration> {
        let current = self.parts.keyring.journal_current().0;
        Some(self.parts.journal.oldest_generation().map_or(current, |oldest| oldest.min(current)))
    }

    pub(super) fn now(&self) -> UnixSeconds {
        self.parts.clock.now()
    }
}

/// The owners whose records stay.
fn retained(purges: &[Purge]) -> Vec<OwnerId> {
    purges.iter().filter(|purge| purge.fate == DataFate::Retain).map(|purge| purge.owner).collect()
}
