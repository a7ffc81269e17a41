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

pub mod places;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use crate::crypto::keyring::{self, Change, JournalGeneration, Keyring};
use crate::journal::{Header, Journal, Position};
use crate::model::connection::ClientId;
use crate::model::entry::{Entry, Field, Whose};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::summary::DEREGISTRATIONS;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::change::Permissions;
use crate::people::refusal::Refusal;
use crate::people::standing::Standing;
use crate::records::catalog::{self, Catalog};
use crate::store::engine::{self, Engine};
use crate::withdrawal::places::erase_rows;

/// How long a connection that nobody was linked to is kept out after its notice, in seconds: a day, for late retries.
const HELD_TOMBSTONE: i64 = 86_400;

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
}

/// What a notice brought about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Participants withdrawn.
    pub withdrawn: usize,
    /// Held connections dropped.
    pub dropped: usize,
    /// Notices of connections that are neither linked nor held.
    pub unknown: usize,
    /// Permission changes kept.
    pub permissions: usize,
}

/// Why a withdrawal could not go on.
#[derive(Debug)]
pub enum Failure {
    /// Records could not be deleted.
    Records(catalog::Error),
    /// Keys could not be destroyed.
    Keyring(keyring::Error),
    /// The directory could not be changed.
    People(Refusal),
    /// Rows could not be deleted.
    Engine(engine::Error),
}

impl Withdrawal {
    /// Withdrawals, those that were under way at the last stop included.
    pub fn new(
        settings: Settings,
        people: Arc<People>,
        catalog: Arc<Catalog>,
        keyring: Arc<Keyring>,
        engine: Arc<dyn Engine>,
        journal: Journal,
    ) -> Result<Withdrawal, Failure> {
        let replayed = journal.newest();
        let withdrawal =
            Withdrawal { settings, people, catalog, keyring, engine, journal, replayed, due: Mutex::default() };
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

    /// Applies deregistrations and permission changes; durable on return.
    pub fn apply(&self, client: &ClientId, received: UnixSeconds, controls: &[Entry]) -> Result<Applied, Failure> {
        let mut applied = Applied::default();
        let mut owners = Vec::new();
        for entry in controls {
            let Whose::User(user) = &entry.whose else { continue };
            let connection = self.people.digest(client, user);
            let mut turn = self.people.turn();
            if &*entry.member != DEREGISTRATIONS {
                if let Some(told) = permissions(entry) {
                    applied.permissions += turn.permissions(&connection, told, received);
                }
                turn.commit()?;
                continue;
            }
            let holders = turn.directory().link_holders(&connection, received);
            let held = turn.directory().held_of(&connection);
            applied.unknown += usize::from(holders.current.is_empty() && held.is_none());
            if !holders.current.is_empty() {
                turn.tombstone(&[connection], received.plus(self.settings.tombstone_for));
            } else if held.is_some() {
                // It also tells a restart that what is held has to go.
                turn.tombstone(&[connection], received.plus(HELD_TOMBSTONE));
            }
            for participant in &holders.current {
                turn.end_link(participant, &connection, received);
                turn.withdraw(participant);
            }
            turn.commit()?;
            applied.withdrawn += holders.current.len();
            applied.dropped += usize::from(held.is_some());
            owners.extend(holders.current);
            owners.extend(held);
        }
        self.schedule(&owners)?;
        if applied.withdrawn + applied.dropped + applied.unknown > 0 {
            let Applied { withdrawn, dropped, unknown, .. } = applied;
            tracing::info!(withdrawn, dropped, unknown, "deregistration notices applied");
        }
        Ok(applied)
    }

    /// A control item met while filing: one that was taken before the start is applied again, since nobody knows
    /// whether it was; the others have been.
    pub fn confirm(&self, position: Position, entry: &Entry, header: &Header) -> Result<(), Failure> {
        if position <= self.replayed {
            self.apply(&header.client, header.received, std::slice::from_ref(entry))?;
        }
        Ok(())
    }

    /// Withdraws a participant by a person's decision; durable on return, the rest follows.
    pub fn withdraw(&self, participant: &OwnerId, now: UnixSeconds) -> Result<(), Failure> {
        let mut turn = self.people.turn();
        let connections: Vec<_> = turn.directory().links(participant).iter().map(|known| known.digest).collect();
        for connection in &connections {
            let before = turn.directory().link_holders(connection, now).current;
            turn.end_link(participant, connection, now);
            // Where nobody else takes part over it, what still comes of the connection is dropped, not held anew.
            if before.as_slice() == [*participant] {
                turn.tombstone(&[*connection], now.plus(self.settings.tombstone_for));
            }
        }
        turn.withdraw(participant);
        turn.commit()?;
        tracing::info!("a participant was withdrawn");
        self.schedule(&[*participant])
    }

    /// Whether an erasure can be carried out now that bodies up to this place are filed.
    pub fn is_due(&self, filed: Position) -> bool {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|due| due.after <= filed)
    }

    /// How many owners wait to be erased.
    pub fn pending(&self) -> usize {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Erases what is due; all of it shares one rotation of the epoch.
    pub fn carry_out(&self, filed: Position, now: UnixSeconds) -> Result<(), Failure> {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner).clone();
        due.retain(|due| due.after <= filed);
        let owners: Vec<_> = due.iter().map(|due| due.owner).collect();
        let (records, bytes) = self.erase(&owners, now)?;
        self.due.lock().unwrap_or_else(PoisonError::into_inner).retain(|due| !owners.contains(&due.owner));
        tracing::info!(owners = owners.len(), records, bytes, epoch = self.keyring.epoch(), "purged");
        Ok(())
    }

    /// Destroys what is held for these connections, and their keys.
    pub fn drop_held(&self, owners: &[OwnerId]) -> Result<(), Failure> {
        if !owners.is_empty() {
            self.erase(owners, UnixSeconds(0))?;
        }
        Ok(())
    }

    /// Data first, then the keys with the epoch, then the last row that names the owner: an interruption anywhere
    /// leaves the owner due.
    fn erase(&self, owners: &[OwnerId], now: UnixSeconds) -> Result<(u64, u64), Failure> {
        let (mut records, mut bytes) = (0, 0);
        for owner in owners {
            let (more_records, more_bytes) = self.catalog.erase(owner)?;
            records += more_records;
            bytes += more_bytes;
            erase_rows(&*self.engine, owner)?;
        }
        let mut changes: Vec<_> = owners.iter().map(|owner| Change::Destroy(*owner)).collect();
        changes.extend(self.closed_generations().map(Change::DestroyJournalBefore));
        self.keyring.rotate(&changes)?;
        let mut turn = self.people.turn();
        for owner in owners {
            if turn.directory().held_owner(owner).is_some() {
                turn.held_gone(owner);
            } else {
                turn.erase(owner, now);
            }
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
            erase_rows(&*self.engine, owner)?;
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
        let after = self.journal.newest();
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        for owner in owners {
            if !due.iter().any(|due| due.owner == *owner) {
                due.push(Due { owner: *owner, after });
            }
        }
        Ok(())
    }
}

/// The permissions that a change item tells; `None` where it is not readable.
fn permissions(entry: &Entry) -> Option<Permissions> {
    let granted = serde_json::from_str(entry.field(Field::Permissions)?).ok()?;
    let changed = UnixSeconds(entry.field(Field::ChangeTime)?.parse().ok()?);
    Some(Permissions { granted, changed })
}

impl From<catalog::Error> for Failure {
    fn from(cause: catalog::Error) -> Self {
        Self::Records(cause)
    }
}

impl From<keyring::Error> for Failure {
    fn from(cause: keyring::Error) -> Self {
        Self::Keyring(cause)
    }
}

impl From<Refusal> for Failure {
    fn from(cause: Refusal) -> Self {
        Self::People(cause)
    }
}

impl From<engine::Error> for Failure {
    fn from(cause: engine::Error) -> Self {
        Self::Engine(cause)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Records(cause) => cause.fmt(f),
            Self::Keyring(cause) => cause.fmt(f),
            Self::People(cause) => cause.fmt(f),
            Self::Engine(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
