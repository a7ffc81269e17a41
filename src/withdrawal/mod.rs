//! Withdrawal: when a participant leaves, collection ends at once, and everything that is held goes.
//!
//! ```text
//! notice ─▶ tombstone, link ended, state withdrawn (fsynced; the notice's 200)
//!        ─▶ bodies taken before that are filed, their journal keys' generation closed
//!        ─▶ packs, files and rows deleted ─▶ keys destroyed with the epoch
//! ```
//! Every step may be repeated; a start goes on where the last one stopped.
//!
//! Never: a read of a withdrawn participant's data; a key of theirs left behind; somebody else's data touched.

pub mod failure;
pub mod notice;
pub mod places;

use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::{Act, Event};
use crate::crypto::keyring::{Change, JournalGeneration, Keyring};
use crate::journal::{Journal, Position};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::standing::{Standing, is_current};
use crate::queue::Queue;
use crate::records::catalog::Catalog;
use crate::store::engine::Engine;
pub use crate::withdrawal::failure::Failure;
use crate::withdrawal::notice::events;
pub use crate::withdrawal::notice::{Applied, PermissionChanges};
use crate::withdrawal::places::erase_rows;

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a tombstone keeps a connection out, in seconds.
    pub tombstone_for: i64,
}

/// Withdrawals under way.
pub struct Withdrawal {
    settings: Settings,
    people: Arc<People>,
    catalog: Arc<Catalog>,
    keyring: Arc<Keyring>,
    engine: Arc<dyn Engine>,
    queue: Arc<Queue>,
    journal: Journal,
    /// Bodies up to here were taken before the gateway started; their control items may not have been applied.
    replayed: Position,
    due: Mutex<Vec<Due>>,
}

/// An owner to be erased once everything taken before the notice is filed.
#[derive(Clone, Copy, Debug)]
struct Due {
    owner: OwnerId,
    after: Position,
    /// Bodies of the generations before may hold the owner's data: their keys go with the owner's.
    generation: JournalGeneration,
}

impl Withdrawal {
    /// Withdrawals, those that were under way at the last stop included.
    pub fn new(
        settings: Settings,
        people: Arc<People>,
        catalog: Arc<Catalog>,
        keyring: Arc<Keyring>,
        engine: Arc<dyn Engine>,
        queue: Arc<Queue>,
        journal: Journal,
    ) -> Result<Withdrawal, Failure> {
        let replayed = journal.newest();
        let withdrawal =
            Withdrawal { settings, people, catalog, keyring, engine, queue, journal, replayed, due: Mutex::default() };
        withdrawal.forget_keyless()?;
        let directory = withdrawal.people.read();
        let dropped =
            directory.held().filter(|(_, held)| matches!(directory.standing(&held.digest), Standing::Tombstoned));
        let mut owners: Vec<_> = dropped.map(|(owner, _)| owner).collect();
        let interrupted = directory.studies().flat_map(|study| directory.participants(&study.id));
        let interrupted = interrupted.filter(|participant| participant.state == ParticipantState::Withdrawn);
        owners.extend(interrupted.map(|participant| participant.id));
        withdrawal.schedule(&owners)?;
        Ok(withdrawal)
    }

    /// Withdraws a participant by a person's decision; durable on return, the rest follows. A connection that nobody
    /// else is linked to is kept out: what Garmin still sends is not to be held for a person who has left.
    pub fn withdraw(&self, participant: &OwnerId, now: UnixSeconds) -> Result<(), Failure> {
        let mut turn = self.people.turn();
        let links = turn.directory().links(participant).iter();
        let current: Vec<_> =
            links.filter(|known| is_current(&known.link.window, now)).map(|known| known.digest).collect();
        let mut owners = vec![*participant];
        for connection in &current {
            turn.end_link(participant, connection, now);
            if turn.directory().link_holders(connection, now).current.is_empty() {
                turn.tombstone(&[*connection], now.plus(self.settings.tombstone_for));
                owners.extend(turn.directory().held_of(connection));
            }
        }
        turn.withdraw(participant);
        turn.commit()?;
        tracing::info!("a participant was withdrawn");
        self.schedule(&owners)
    }

    /// Whether an erasure can be carried out now that bodies up to this place are filed.
    pub fn is_due(&self, filed: Position) -> bool {
        !self.ready(filed).is_empty()
    }

    /// Everything that was taken before the notice is filed, and so is what else shares its journal generation.
    fn ready(&self, filed: Position) -> Vec<OwnerId> {
        let due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.is_empty() {
            return Vec::new();
        }
        let oldest = self.journal.oldest_generation();
        let is_ready = |due: &&Due| due.after <= filed && oldest.is_none_or(|oldest| oldest >= due.generation);
        due.iter().filter(is_ready).map(|due| due.owner).collect()
    }

    /// How many owners wait to be erased.
    pub fn pending(&self) -> usize {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Erases what is due; all of it shares one rotation of the epoch. Returns what belongs in the audit log.
    pub fn carry_out(&self, filed: Position, now: UnixSeconds) -> Result<Vec<Event>, Failure> {
        let owners = self.ready(filed);
        // While the directory knows them.
        let mut events = events(&self.people.read(), &owners, |owner| Act::PurgeCarriedOut {
            records: self.catalog.count(owner),
            bytes: self.catalog.stored_bytes(owner),
            epoch: 0,
        });
        let (records, bytes) = self.erase(&owners, now)?;
        for event in &mut events {
            if let Act::PurgeCarriedOut { epoch, .. } = &mut event.act {
                *epoch = self.keyring.epoch();
            }
        }
        self.due.lock().unwrap_or_else(PoisonError::into_inner).retain(|due| !owners.contains(&due.owner));
        tracing::info!(owners = owners.len(), records, bytes, epoch = self.keyring.epoch(), "purged");
        Ok(events)
    }

    /// Destroys what is held for these connections, and their keys.
    pub fn drop_held(&self, owners: &[OwnerId]) -> Result<(), Failure> {
        if !owners.is_empty() {
            self.erase(owners, UnixSeconds(0))?;
        }
        Ok(())
    }

    /// Destroys what nobody linked in time, `hold_for` seconds after it first came; returns how many connections.
    pub fn expire_held(&self, now: UnixSeconds, hold_for: i64) -> Result<usize, Failure> {
        let mut turn = self.people.turn();
        let owners = self.people.expired_held(now, hold_for);
        if owners.is_empty() {
            return Ok(0);
        }
        // From here on nobody can link what is about to go, and a restart goes on; it ends with this look at expiry.
        let connections: Vec<_> =
            owners.iter().filter_map(|owner| Some(turn.directory().held_owner(owner)?.digest)).collect();
        turn.tombstone(&connections, now);
        turn.commit()?;
        self.drop_held(&owners)?;
        tracing::info!(connections = owners.len(), "held data that nobody linked in time are destroyed");
        Ok(owners.len())
    }

    /// Data first, then the keys with the epoch, then the last row that names the owner: an interruption anywhere
    /// leaves the owner due.
    fn erase(&self, owners: &[OwnerId], now: UnixSeconds) -> Result<(u64, u64), Failure> {
        let (mut records, mut bytes) = (0, 0);
        for owner in owners {
            self.queue.forget(owner);
            let (more_records, more_bytes) = self.catalog.erase(owner)?;
            records += more_records;
            bytes += more_bytes;
            erase_rows(&*self.engine, &self.catalog.blobs, owner)?;
        }
        // While the row that says the code can still be read: after the keys it cannot.
        let mut turn = self.people.turn();
        owners.iter().for_each(|owner| turn.retire_code(owner, now));
        turn.commit()?;
        let mut changes: Vec<_> = owners.iter().map(|owner| Change::Destroy(*owner)).collect();
        changes.extend(self.closed_generations().map(Change::DestroyJournalBefore));
        self.keyring.rotate(&changes)?;
        let mut turn = self.people.turn();
        for owner in owners {
            turn.held_gone(owner);
            turn.erase(owner, now);
        }
        turn.commit()?;
        Ok((records, bytes))
    }

    /// The oldest generation that a body still needs: those before it may go.
    fn closed_generations(&self) -> Option<JournalGeneration> {
        let current = self.keyring.journal_current().0;
        Some(self.journal.oldest_generation().map_or(current, |oldest| oldest.min(current)))
    }

    /// Finishes erasures that ended between the destruction of the keys and that of the last row.
    fn forget_keyless(&self) -> Result<(), Failure> {
        let keyless = self.people.keyless();
        if keyless.is_empty() {
            return Ok(());
        }
        let mut turn = self.people.turn();
        for owner in keyless {
            self.catalog.erase(owner)?;
            erase_rows(&*self.engine, &self.catalog.blobs, owner)?;
            turn.held_gone(owner);
            turn.erase(owner, UnixSeconds(0));
        }
        Ok(turn.commit()?)
    }

    fn schedule(&self, owners: &[OwnerId]) -> Result<(), Failure> {
        if owners.is_empty() {
            return Ok(());
        }
        self.keyring.update(&[Change::NextJournalGeneration])?;
        let generation = self.keyring.journal_current().0;
        let after = self.journal.newest();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in owners {
            if !due.iter().any(|due| due.owner == *owner) {
                due.push(Due { owner: *owner, after, generation });
            }
        }
        Ok(())
    }
}
