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

pub mod job;
mod load;
pub mod plan;
pub mod schedule;
pub mod stored;
pub mod view;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::backoff::Backoff;
use crate::crypto::digest::DigestKey;
use crate::crypto::key::Rng;
use crate::crypto::keyring::{Keyring, OwnerKeys};
use crate::model::connection::{ClientId, ConnectionDigest, GarminUserId};
use crate::model::entry::Field;
use crate::model::id::OwnerId;
use crate::model::participant::ParticipantState;
use crate::model::pull::{PullId, PullRef};
use crate::model::summary::{NaturalKey, SummaryType};
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::queue::job::{Job, Phase, State, URL_LIFE_S};
use crate::queue::plan::{Action, Event, Step, Turn};
use crate::queue::schedule::Schedule;
use crate::queue::stored::{Ping, StoredState, ping_row, state_row};
use crate::records::catalog::{self, Catalog};
use crate::records::index::KeyDigest;
use crate::records::pseudonym::Pseudonyms;
use crate::store::engine::{self, Batch, Engine};

/// How long a look at the queue may be put off, in seconds.
const WAIT_S_MAX: i64 = 60;
/// A job that a person wants tried again has so long at least, in seconds.
const RETRY_S_MIN: i64 = 600;

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

/// The queue of pulls. Shared; methods take `&self`.
pub struct Queue {
    parts: Parts,
    settings: Settings,
    /// The hosts that URLs have named, by their place in jobs.
    hosts: Mutex<Vec<Box<str>>>,
    ids: DigestKey,
    table: Mutex<Schedule>,
    changed: Notify,
}

impl Queue {
    /// The job that this connection's ping belongs to; `parts` as [`stored::parts`] gives them.
    pub fn id(&self, connection: &ConnectionDigest, parts: &[&[u8]; 5]) -> PullId {
        let [summary_type, start, end, file, url] = parts;
        let digest = self.ids.digest(&[&connection.0, summary_type, start, end, file, url]);
        PullId(digest[..12].try_into().expect("a digest has 32 bytes"))
    }

    /// Whether this ping can be taken, beside so many that are about to be.
    pub fn has_room(&self, id: &PullId, further: usize) -> bool {
        let table = self.table();
        table.get(id).is_some() || table.len() + further < self.settings.schedule.jobs_max
    }

    /// The rows that go with the answer to this ping; none where it was pinged again since.
    pub fn rows(&self, pull: &PullRef) -> Vec<Vec<u8>> {
        self.table().rows(pull).map_or_else(Vec::new, keys_of)
    }

    /// Filing has committed this, in this order.
    pub fn filed(&self, told: Vec<Told>, now: UnixSeconds) {
        if told.is_empty() {
            return;
        }
        let mut table = self.table();
        for told in told {
            match told {
                Told::Pinged(pinged) => self.pinged(&mut table, pinged, now),
                Told::Answered(pull) => {
                    if table.rows(&pull).is_some() {
                        table.remove(&pull.id);
                    }
                }
            }
        }
        drop(table);
        self.changed.notify_one();
    }

    /// The job begins, or has a row more, or is renewed.
    fn pinged(&self, table: &mut Schedule, pinged: Pinged, now: UnixSeconds) {
        let Pinged { id, ping, summary_type, host, received, row } = pinged;
        let host = self.host(&host);
        let renewed = table.update(&id, |job| {
            if ping > job.ping {
                let turn = self.turn(now, 0.0);
                job.state = plan::step(job, ping, Event::Pinged, &turn).state;
                (job.ping, job.received, job.deadline, job.host) = (ping, received, received.plus(URL_LIFE_S), host);
            }
            if !job.rows.contains(&row) {
                job.rows.push(row);
            }
        });
        if !renewed {
            let state = State { phase: Phase::Waiting(now), attempts: 0, last: None, begun: false };
            let deadline = received.plus(URL_LIFE_S);
            let job = Job { id, ping, summary_type, host, received, deadline, state, rows: vec![row] };
            if table.insert(job).is_err() {
                tracing::error!("more pings wait than the gateway takes; they are pulled after a restart");
            }
        }
    }

    /// What this owner was to get is not pulled any more for them.
    pub fn forget(&self, owner: &OwnerId) {
        self.table().forget(owner);
    }

    /// The next job that is due, running from then on; the slot of its host is held until it is released.
    pub fn take(&self, now: UnixSeconds) -> Option<Job> {
        let mut table = self.table();
        let id = table.take(now)?.id;
        let turn = self.turn(now, 0.0);
        table.update(&id, |job| job.state = plan::step(job, job.ping, Event::Started, &turn).state);
        table.get(&id).cloned()
    }

    /// The request for this job has ended: its host's slot is free.
    pub fn release(&self, id: &PullId) {
        self.table().release(id);
        self.changed.notify_one();
    }

    /// Returns when a job may be due, or after a minute.
    pub async fn wait(&self, now: UnixSeconds) {
        let next = self.table().next_at().map_or(WAIT_S_MAX, |at| at.0.saturating_sub(now.0).clamp(0, WAIT_S_MAX));
        let patience = Duration::from_secs(next.unsigned_abs());
        // Whether something has changed or time has passed, the caller looks.
        drop(tokio::time::timeout(patience, self.changed.notified()).await);
    }

    /// What a job asks for; `None` where nobody may have it any more, or its row is gone.
    pub fn open(&self, job: &Job) -> Result<Option<Ask>, Error> {
        let directory = self.parts.people.read();
        for (owner, name) in &job.rows {
            let is_held = directory.held_owner(owner).is_some();
            let takes_part =
                directory.participant(owner).is_some_and(|found| found.state != ParticipantState::Withdrawn);
            if !is_held && !takes_part {
                continue;
            }
            let Some(keys) = self.parts.keyring.owner(owner) else { continue };
            let Some(sealed) = self.parts.engine.get(&ping_row(owner, name))? else { continue };
            match Ping::open(owner, name, &keys, is_held, &sealed) {
                Some(ping) if ping.ping == job.ping => return Ok(Some(ping.ask)),
                // It was pinged again a moment ago, and the job is about to be renewed.
                Some(_) => {}
                None => tracing::error!("a ping does not open; it was altered"),
            }
        }
        Ok(None)
    }

    /// Whether everybody the job is for has the file already.
    pub fn is_held(&self, job: &Job, ask: &Ask) -> Result<bool, Error> {
        let Some((_, summary_id)) = ask.fields.iter().find(|(field, _)| *field == Field::SummaryId) else {
            return Ok(false);
        };
        let connection = self.parts.people.digest(&ask.client, ask.user.expose());
        let mut held = !job.rows.is_empty();
        for (owner, _) in &job.rows {
            let Some(keys) = self.parts.keyring.owner(owner) else { continue };
            let pseudonyms = Pseudonyms::new(&keys.pseudonym);
            let key = pseudonyms.natural_key(NaturalKey::SummaryId, summary_id, &connection);
            held &= !self.parts.catalog.versions(owner, &job.summary_type, &key)?.is_empty();
        }
        Ok(held)
    }

    /// A file's only download is about to begin; durable on return.
    pub fn begun(&self, job: &Job) -> Result<(), Error> {
        let mut begun = job.clone();
        begun.state.begun = true;
        self.persist(&begun)
    }

    /// What has happened to a job, as of this ping: durable where a restart must know it. Returns how far the job has
    /// come then; `None` where it is over.
    pub fn apply(&self, pull: &PullRef, event: Event, now: UnixSeconds, jitter: f64) -> Result<Option<State>, Error> {
        let mut table = self.table();
        let Some(job) = table.get(&pull.id) else { return Ok(None) };
        let mut job = job.clone();
        if event == Event::Retry && job.deadline.0 < now.0 + RETRY_S_MIN {
            job.deadline = now.plus(RETRY_S_MIN);
        }
        let Step { state, action } = plan::step(&job, pull.ping, event, &self.turn(now, jitter));
        job.state = state;
        let over = action == Action::Remove;
        if over {
            table.remove(&job.id);
        } else if action != Action::Nothing {
            let (state, deadline) = (job.state, job.deadline);
            table.update(&job.id, |kept| (kept.state, kept.deadline) = (state, deadline));
        }
        drop(table);
        match action {
            Action::Nothing | Action::Keep => {}
            Action::Persist => self.persist(&job)?,
            Action::Remove => self.delete(&job)?,
        }
        self.changed.notify_one();
        Ok((!over).then_some(job.state))
    }

    /// Rows that are written by filing alone stay; how far the job has come stands beside them.
    fn persist(&self, job: &Job) -> Result<(), Error> {
        let mut batch = Batch::default();
        let state = StoredState::of(job);
        for (owner, name) in &job.rows {
            // Whose keys are gone has no rows to stand beside.
            let Some((keys, is_held)) = self.keys(owner) else { continue };
            if let Some((row, sealed)) = state.seal(owner, name, &keys, is_held, &*self.parts.rng) {
                batch.put(row, sealed);
            }
        }
        Ok(self.parts.engine.commit(batch)?)
    }

    fn delete(&self, job: &Job) -> Result<(), Error> {
        let mut batch = Batch::default();
        keys_of(&job.rows).into_iter().for_each(|row| batch.delete(row));
        Ok(self.parts.engine.commit(batch)?)
    }

    fn turn(&self, now: UnixSeconds, jitter: f64) -> Turn {
        Turn { now, jitter, backoff: self.settings.backoff }
    }

    fn host(&self, name: &str) -> u16 {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let place = hosts.iter().position(|host| &**host == name).unwrap_or_else(|| {
            hosts.push(name.into());
            hosts.len() - 1
        });
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    fn keys(&self, owner: &OwnerId) -> Option<(Arc<OwnerKeys>, bool)> {
        let is_held = self.parts.people.read().held_owner(owner).is_some();
        Some((self.parts.keyring.owner(owner)?, is_held))
    }

    fn table(&self) -> MutexGuard<'_, Schedule> {
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
