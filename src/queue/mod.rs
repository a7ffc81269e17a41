//! The queue of pulls: pings that became jobs, durable as sealed rows, in order in memory.
//!
//! ```text
//! filing: rows in the batch of the ping's body ─ committed ─▶ Pinged ─▶ waiting ─▶ running ─▶ delivered
//! filing: rows gone in the batch of the answer ─ committed ─▶ Answered ─▶ gone
//! ```
//! So a job is durable before its ping is filed, and ends exactly when its answer is filed. A row belongs to one
//! participant (or held connection); the rows of one Garmin connection for one window or file are one job, which is
//! fetched once, also where the person takes part in two studies. What a job's next step is, [`plan`] decides; which job
//! is next, [`schedule`].
//!
//! Limits: [`jobs_max`](schedule::Settings::jobs_max) jobs; a ping's text of [`stored::TEXT_BYTES_MAX`] beside its fields.
//!
//! Never: a URL in memory but while it is used, in a log or an error; a lock held while rows are read or written.

mod filed;
pub mod job;
mod load;
mod permission;
pub mod plan;
pub mod schedule;
pub mod stored;
pub mod view;
mod work;

use std::fmt;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::crypto::digest::DigestKey;
use crate::crypto::key::Rng;
use crate::crypto::keyring::{Keyring, OwnerKeys};
use crate::model::connection::{ClientId, GarminUserId};
use crate::model::entry::Field;
use crate::model::id::OwnerId;
use crate::model::pull::{PullId, PullRef};
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::queue::plan::Turn;
use crate::queue::schedule::Schedule;
use crate::queue::stored::{ping_row, state_row};
use crate::records::catalog::{self, Catalog};
use crate::records::index::KeyDigest;
use crate::store::engine::{self, Engine};

/// What a job's request and its answer need: opened from a row when it is due, never kept.
pub struct Ask {
    /// The callback URL, as it stands in the ping: a bearer secret.
    pub url: Box<str>,
    /// The client that the ping came for.
    pub client: ClientId,
    /// Whose the answer is.
    pub user: GarminUserId,
    /// The ping's own text: an object, with `userId` and `callbackURL`.
    pub item: String,
    /// The ping's key fields, `callbackURL` left out.
    pub fields: Vec<(Field, Box<str>)>,
}

/// What filing has committed.
#[derive(Debug)]
pub enum Told {
    /// A ping, for one owner.
    Pinged(Pinged),
    /// The answer to a ping: its rows are gone.
    Answered(PullRef),
}

/// A ping whose row is durable.
#[derive(Debug)]
pub struct Pinged {
    /// The job it belongs to.
    pub id: PullId,
    /// The place of its body in the journal.
    pub ping: u64,
    /// What is to be pulled.
    pub summary_type: SummaryType,
    /// The host that its URL names.
    pub host: Box<str>,
    /// When it came.
    pub received: UnixSeconds,
    /// Its row.
    pub row: (OwnerId, KeyDigest),
}

/// Why the queue cannot say or keep something.
#[derive(Debug)]
pub enum Error {
    /// The store failed.
    Store(engine::Error),
    /// The records cannot be read.
    Records(catalog::Error),
}

/// What the queue works with.
pub struct Parts {
    /// The rows.
    pub engine: Arc<dyn Engine>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Who still takes part.
    pub people: Arc<People>,
    /// The records, to see whether a file is held.
    pub catalog: Arc<Catalog>,
    /// Randomness.
    pub rng: Arc<Rng>,
}

/// Settings.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Of the order of jobs.
    pub schedule: schedule::Settings,
    /// How waits grow.
    pub backoff: Backoff,
}

impl Default for Settings {
    fn default() -> Self {
        let backoff = Backoff { base: Duration::from_secs(2), cap: Duration::from_secs(900) };
        Self { schedule: schedule::Settings::default(), backoff }
    }
}

/// The queue of pulls. Shared; methods take `&self`.
pub struct Queue {
    parts: Parts,
    settings: Settings,
    /// The hosts that URLs have named, by their place in jobs.
    hosts: Mutex<Vec<Box<str>>>,
    ids: DigestKey,
    /// The time at the last look, in seconds.
    seen: AtomicI64,
    table: Mutex<Schedule>,
    writing: Mutex<()>,
    changed: Notify,
}

impl Queue {
    pub(super) fn turn(&self, now: UnixSeconds, jitter: f64) -> Turn {
        Turn { now, jitter, backoff: self.settings.backoff }
    }

    pub(super) fn host(&self, name: &str) -> u16 {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let place = hosts.iter().position(|host| &**host == name).unwrap_or_else(|| {
            hosts.push(name.into());
            hosts.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    pub(super) fn keys(&self, owner: &OwnerId) -> Option<(Arc<OwnerKeys>, bool)> {
        let is_held = self.parts.people.read().held_owner(owner).is_some();
        Some((self.parts.keyring.owner(owner)?, is_held))
    }

    /// Held while rows are written, until the table says the same; taken before the table.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Schedule> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of a job, each with its state.
fn keys_of(rows: &(impl AsRef<[(OwnerId, KeyDigest)]> + ?Sized)) -> Vec<Vec<u8>> {
    rows.as_ref().iter().flat_map(|(owner, name)| [ping_row(owner, name), state_row(owner, name)]).collect()
}

impl From<engine::Error> for Error {
    fn from(error: engine::Error) -> Self {
        Self::Store(error)
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        Self::Records(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(f, "{error}"),
            Self::Records(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Error {}
