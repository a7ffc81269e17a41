//! A turn at changing the directory: durable first, in memory afterwards, one at a time.
//!
//! ```text
//! People::turn ──▶ Turn ──sealed──▶ (rows, Pending) ──the caller commits the rows──▶ Pending::apply
//! ```
//!
//! Readers see the directory as it was until `apply`, then all of the turn at once. A turn that is dropped at any
//! step changes nothing in memory. While it lasts every other change waits: who holds one (also as [`Pending`])
//! calls nothing of [`People`] but reads, and what it reads stays true until it ends.

use std::sync::{Arc, MutexGuard, PoisonError};

use crate::crypto::keyring::{self, OwnerKeys};
use crate::model::{id::OwnerId, participant::Link};
use crate::people::{
    People,
    change::Change,
    directory::Directory,
    load::StoredTombstone,
    refusal::Refusal,
    rows::{Row, Rows},
};
use crate::store::engine::{Batch, Engine};

/// A turn at changing the directory.
pub struct Turn<'a> {
    people: &'a People,
    guard: MutexGuard<'a, ()>,
    work: Arc<Directory>,
    changes: Vec<Change>,
    new_owners: Vec<(OwnerId, Holder)>,
}

/// Changes whose rows the caller commits.
#[must_use = "the directory in memory changes only once it is applied"]
pub struct Pending<'a> {
    people: &'a People,
    work: Arc<Directory>,
    _guard: MutexGuard<'a, ()>,
}

/// Whom new keys are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Participant,
    HeldConnection,
}

impl People {
    /// A turn at changing the directory; waits for the one before to end.
    pub fn turn(&self) -> Turn<'_> {
        let guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { people: self, guard, work: self.read(), changes: Vec::new(), new_owners: Vec::new() }
    }
}

impl<'a> Turn<'a> {
    /// The directory with the changes of this turn.
    pub fn directory(&self) -> &Directory {
        &self.work
    }

    /// The rows of this turn, sealed, and what to do once they are committed. New owners' keys are durable on return.
    pub fn sealed(self) -> Result<(Batch, Pending<'a>), Refusal> {
        let people = self.people;
        if !self.new_owners.is_empty() {
            let add = |(owner, holder): &(OwnerId, Holder)| {
                let mut keys = OwnerKeys::random(&*people.rows.rng);
                if *holder == Holder::HeldConnection {
                    keys.identity = None;
                }
                keyring::Change::Add(*owner, keys)
            };
            people.rows.keyring.update(&self.new_owners.iter().map(add).collect::<Vec<_>>())?;
        }
        let mut batch = Batch::default();
        for change in &self.changes {
            write(&people.rows, &*people.engine, change, &mut batch)?;
        }
        Ok((batch, Pending { people, work: self.work, _guard: self.guard }))
    }

    /// Makes the turn durable and then visible.
    pub fn commit(self) -> Result<(), Refusal> {
        let people = self.people;
        let (batch, pending) = self.sealed()?;
        if !batch.is_empty() {
            people.engine.commit(batch)?;
        }
        pending.apply();
        Ok(())
    }

    pub(super) fn people(&self) -> &'a People {
        self.people
    }

    /// Whether rows can be sealed for this owner.
    pub(super) fn has_keys(&self, owner: &OwnerId) -> bool {
        self.new_owners.iter().any(|(new, _)| new == owner) || self.people.rows.keyring.owner(owner).is_some()
    }

    pub(super) fn change(&mut self, change: Change) {
        Arc::make_mut(&mut self.work).apply(change.clone());
        self.changes.push(change);
    }

    pub(super) fn new_owner(&mut self, holder: Holder) -> OwnerId {
        let owner = OwnerId::from_bytes(self.people.random());
        self.new_owners.push((owner, holder));
        owner
    }
}

impl Pending<'_> {
    /// Readers see the changes from here on.
    pub fn apply(self) {
        let mut current = self.people.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = self.work;
    }
}

/// Puts or deletes the rows of a change.
fn write(rows: &Rows, engine: &dyn Engine, change: &Change, batch: &mut Batch) -> Result<(), Refusal> {
    match change {
        Change::Study(study) => put(rows, batch, &Row::study(&study.id), study),
        Change::RetiredCodes(study, codes) => put(rows, batch, &Row::retired(study), codes),
        Change::Participant(participant) => put(rows, batch, &Row::participant(&participant.id), participant),
        Change::Links(owner, links) => {
            let stored: Vec<&Link> = links.iter().map(|known| &known.link).collect();
            put(rows, batch, &Row::links(owner), &stored)
        }
        Change::Held(owner, _, held) => put(rows, batch, &Row::held(owner), held),
        Change::Tombstone(digest, expires) => {
            put(rows, batch, &Row::tombstone(digest), &StoredTombstone { expires: *expires })
        }
        Change::Permissions(owner, connection, permissions) => {
            put(rows, batch, &Row::permissions(owner, connection), permissions)
        }
        Change::TombstoneGone(digest) => {
            batch.delete(Row::tombstone(digest).key());
            Ok(())
        }
        Change::LinksGone(owner) => {
            batch.delete(Row::links(owner).key());
            delete_permissions(engine, owner, batch)
        }
        Change::ParticipantGone(owner) => {
            // The participant's own row goes last: while it is there, an interrupted purge is finished at a start.
            delete_all(engine, &Row::handed_out_prefix(owner), batch)?;
            batch.delete(Row::participant(owner).key());
            batch.delete(Row::links(owner).key());
            delete_permissions(engine, owner, batch)
        }
        Change::HeldGone(owner) => {
            batch.delete(Row::held(owner).key());
            delete_permissions(engine, owner, batch)
        }
    }
}

fn put<T: serde::Serialize>(rows: &Rows, batch: &mut Batch, row: &Row, value: &T) -> Result<(), Refusal> {
    // A row without a key belongs to an owner who is being purged; nothing of the turn is written then.
    let sealed = rows.seal(row, value).ok_or(Refusal::Withdrawn)?;
    batch.put(row.key(), sealed);
    Ok(())
}

/// By what stands in the engine and not by what is in memory, which knows nothing of owners without keys.
fn delete_permissions(engine: &dyn Engine, owner: &OwnerId, batch: &mut Batch) -> Result<(), Refusal> {
    delete_all(engine, &Row::permissions_prefix(owner), batch)
}

fn delete_all(engine: &dyn Engine, prefix: &[u8], batch: &mut Batch) -> Result<(), Refusal> {
    engine.scan(prefix, &mut |key, _| {
        batch.delete(key.to_vec());
        true
    })?;
    Ok(())
}
