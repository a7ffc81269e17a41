//! Withdrawal: when a participant leaves, collection ends at once, and what the study's policy says goes, provably.
//!
//! ```text
//! notice, or a person ─▶ [waiting: locked, until a grace or a flood's hold is over, or a person rejects it]
//!   ─▶ tombstoned: links ended, tombstone, state withdrawn (fsynced; the notice's 200)
//!   ─▶ bodies taken before that are filed, their journal keys' generation closed
//!   ─▶ destroying: what is there is counted ─▶ survivors' keys under the next epoch, this one destroyed
//!   ─▶ destroyed ─▶ capsules of backups without them ─▶ rows and files gone ─▶ erased ─▶ the database compacted
//! ```
//! Each arrow is a durable row of the purge log ([`record::Purge`]) before the step that follows it. Every step may be
//! repeated; a start goes on where the last one stopped, before any port opens. The receipt is made of that row.
//!
//! Never: a read of a withdrawn participant's data; a key of theirs left behind; somebody else's data touched.

mod backups;
mod begin;
pub mod compaction;
pub mod course;
mod erase;
pub mod event;
pub mod failure;
pub mod log;
pub mod notice;
pub mod places;
pub mod receipt;
pub mod record;
mod rotation;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backup::Backups;
use crate::clock::Clock;
use crate::crypto::key::Rng;
use crate::crypto::keyring::{self, JournalGeneration, Keyring};
use crate::disk::Space;
use crate::journal::{Journal, Position};
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::people::People;
use crate::people::standing::Standing;
use crate::people::turn::Turn;
use crate::queue::Queue;
use crate::records::catalog::Catalog;
use crate::store::engine::Engine;
pub use crate::withdrawal::begin::Leave;
use crate::withdrawal::compaction::{Compactor, needs_compaction};
use crate::withdrawal::course::Brake;
pub use crate::withdrawal::event::Event;
pub use crate::withdrawal::failure::Failure;
use crate::withdrawal::log::PurgeLog;
pub use crate::withdrawal::notice::{Applied, PermissionChanges};
pub use crate::withdrawal::places::erase_rows;
use crate::withdrawal::record::{Purge, PurgeId};
pub use crate::withdrawal::view::{Pending, Preview};

/// Settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a tombstone keeps a connection out, in seconds.
    pub tombstone_for: i64,
    /// How long what has no readable owner stays in quarantine, in seconds.
    pub quarantine_for: i64,
    /// When notices are too many to be obeyed at once.
    pub brake: Brake,
    /// How long who is noticed is locked before the purge begins, so that a flood within this time is held whole.
    pub settle_for: Duration,
}

/// What withdrawal works with.
pub struct Parts {
    /// Settings.
    pub settings: Settings,
    /// Who takes part.
    pub people: Arc<People>,
    /// The records.
    pub catalog: Arc<Catalog>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// The rows.
    pub engine: Arc<dyn Engine>,
    /// Where pings wait.
    pub queue: Arc<Queue>,
    /// The backups.
    pub backups: Arc<Backups>,
    /// Where bodies are taken.
    pub journal: Journal,
    /// The disk.
    pub space: Arc<Space>,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Withdrawals under way and done.
pub struct Withdrawal {
    parts: Parts,
    log: PurgeLog,
    /// Bodies up to here were taken before the gateway started; their control items may not have been applied.
    replayed: Position,
    due: Mutex<Vec<Due>>,
    /// Held from the counting of what goes to the end of its epoch, so that a receipt names the right one.
    rotating: Mutex<()>,
    /// Purges whose notice came a moment ago, and when that moment is over, by the clock that only goes forward.
    settling: Mutex<Vec<(PurgeId, Duration)>>,
    compactor: Compactor,
}

/// An owner to be erased once everything taken before the notice is filed.
#[derive(Clone, Copy, Debug)]
struct Due {
    owner: OwnerId,
    after: Position,
    /// Bodies of the generations before may hold the owner's data: their keys go with the owner's.
    generation: JournalGeneration,
}

/// Where the purges' rows stand in a step's batch: what says "begun" stands first, what says "done" last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Last,
}

impl Withdrawal {
    /// Withdrawals, those that were under way at the last stop included: what can be finished at once is.
    pub fn new(parts: Parts) -> Result<Withdrawal, Failure> {
        let log = PurgeLog::open(Arc::clone(&parts.engine), Arc::clone(&parts.keyring), Arc::clone(&parts.rng))?;
        let replayed = parts.journal.newest();
        let compactor = Compactor::new(!log.all(needs_compaction).is_empty(), parts.clock.now());
        // What settled when the gateway ended has settled once everything is filed that came behind it.
        let settling = log.all(Purge::is_settling).iter().map(|purge| (purge.id, Duration::ZERO)).collect();
        let (due, rotating) = (Mutex::default(), Mutex::default());
        let withdrawal = Withdrawal { parts, log, replayed, due, rotating, settling: Mutex::new(settling), compactor };
        withdrawal.resume_destroyed()?;
        withdrawal.resume_begun()?;
        let directory = withdrawal.parts.people.read();
        let dropped =
            directory.held().filter(|(_, held)| matches!(directory.standing(&held.digest), Standing::Tombstoned));
        let mut owners: Vec<_> = dropped.map(|(owner, _)| owner).collect();
        let interrupted = directory.studies().flat_map(|study| directory.participants(&study.id));
        let interrupted = interrupted.filter(|participant| participant.state == ParticipantState::Withdrawn);
        owners.extend(interrupted.map(|participant| participant.id));
        withdrawal.schedule(&owners)?;
        Ok(withdrawal)
    }

    /// Whether an erasure can be carried out now that bodies up to this place are filed.
    pub fn is_due(&self, filed: Position) -> bool {
        !self.ready(filed).is_empty()
    }

    /// How many owners wait to be erased, or for the moment that shows whether their notice is one of a flood.
    pub fn pending(&self) -> usize {
        self.due().len() + self.settling().len()
    }

    /// Whether a purge has something to do once the body at this place is filed: more need not be gathered behind it.
    pub fn waits_for(&self, place: Position, monotonic: Duration) -> bool {
        let has_settled = || place >= self.replayed && self.settling().iter().any(|(_, over)| *over <= monotonic);
        self.due().iter().any(|due| due.after <= place) || has_settled()
    }

    /// How many bodies that came before a participant left are not filed yet, and may hold what is theirs; none where
    /// nothing of theirs waits to be destroyed.
    pub fn bodies_pending(&self, owner: &OwnerId) -> u64 {
        let (newest, filed) = (self.parts.journal.newest(), self.parts.journal.filed());
        let due = self.due().iter().find(|due| due.owner == *owner).map(|due| due.after);
        let settles = || self.log.open_of(owner).is_some_and(|purge| purge.is_settling());
        due.or_else(|| settles().then_some(newest)).map_or(0, |after| after.0.saturating_sub(filed.0))
    }

    /// Everything that was taken before the notice is filed, and so is what else shares its journal generation.
    fn ready(&self, filed: Position) -> Vec<OwnerId> {
        let due = self.due();
        if due.is_empty() {
            return Vec::new();
        }
        let oldest = self.parts.journal.oldest_generation();
        let is_ready = |due: &&Due| due.after <= filed && oldest.is_none_or(|oldest| oldest >= due.generation);
        due.iter().filter(is_ready).map(|due| due.owner).collect()
    }

    fn schedule(&self, owners: &[OwnerId]) -> Result<(), Failure> {
        if owners.is_empty() {
            return Ok(());
        }
        self.parts.keyring.update(&[keyring::Change::NextJournalGeneration])?;
        let generation = self.parts.keyring.journal_current().0;
        let after = self.parts.journal.newest();
        let mut due = self.due();
        for owner in owners {
            if !due.iter().any(|due| due.owner == *owner) {
                due.push(Due { owner: *owner, after, generation });
            }
        }
        Ok(())
    }

    /// Makes a step durable, with what the log says of it, and then visible.
    fn commit(&self, turn: Turn<'_>, purges: &[Purge], place: Place) -> Result<(), Failure> {
        let (changes, pending) = turn.sealed()?;
        let log = self.log.rows(purges);
        let (mut batch, rest) = match place {
            Place::First => (log, changes),
            Place::Last => (changes, log),
        };
        batch.append(rest);
        if !batch.is_empty() {
            self.parts.engine.commit(batch)?;
        }
        self.log.keep(purges);
        pending.apply();
        Ok(())
    }

    fn settling(&self) -> MutexGuard<'_, Vec<(PurgeId, Duration)>> {
        self.settling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, Vec<Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
