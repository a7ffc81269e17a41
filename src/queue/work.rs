//! The worker's side of the queue: what is due, what it asks for, and what came of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::model::entry::Field;
use crate::model::pull::{PullId, PullRef};
use crate::model::summary::NaturalKey;
use crate::model::time::UnixSeconds;
use crate::queue::job::{Job, Phase, State};
use crate::queue::plan::{self, Action, Event, Step};
use crate::queue::schedule::Filter;
use crate::queue::stored::{Ping, StoredState, ping_row};
use crate::queue::{Ask, Error, Queue, keys_of};
use crate::records::pseudonym::Pseudonyms;
use crate::store::engine::Batch;

/// How long a look at the queue may be put off, in seconds.
const WAIT_S_MAX: i64 = 60;
/// A clock that goes back by more than this, in seconds, was ahead before.
const CLOCK_BACK_S: i64 = 300;
/// A job that a person wants tried again has so long at least, in seconds.
const RETRY_S_MIN: i64 = 600;

impl Queue {
    /// The next job that is due, running from then on; the slot of its host is held until it is released.
    pub fn take(&self, now: UnixSeconds) -> Option<Job> {
        let mut table = self.table();
        let before = self.seen.swap(now.0, Ordering::Relaxed);
        if now.plus(CLOCK_BACK_S).0 < before {
            let jobs: Vec<_> = table.list(&Filter::default()).map(|job| job.id).collect();
            for id in jobs {
                table.update(&id, |job| job.put_back(now));
            }
        }
        table.take(now)
    }

    /// The next job that is due, in the place of this one, whose request has ended.
    pub fn next(&self, id: &PullId, now: UnixSeconds) -> Option<Job> {
        let mut table = self.table();
        table.release(id);
        table.take(now)
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

    /// Whether somebody it is for is locked before a purge that can still be undone: it may be wanted again.
    pub fn rests(&self, job: &Job) -> bool {
        let directory = self.parts.people.read();
        job.rows.iter().any(|(owner, _)| directory.participant(owner).is_some_and(|found| found.lock.is_some()))
    }

    /// What a job asks for; `None` where nobody may have it any more, or its row is gone.
    pub fn open(&self, job: &Job) -> Result<Option<Ask>, Error> {
        let directory = self.parts.people.read();
        let mut older = None;
        for (owner, name) in &job.rows {
            let is_held = directory.held_owner(owner).is_some();
            let takes_part = directory.participant(owner).is_some_and(|found| found.is_readable());
            if !is_held && !takes_part {
                continue;
            }
            let Some(keys) = self.parts.keyring.owner(owner) else { continue };
            let Some(sealed) = self.parts.engine.get(&ping_row(owner, name))? else { continue };
            match Ping::open(owner, name, &keys, is_held, &sealed) {
                Some(ping) if ping.ping == job.ping => return Ok(Some(ping.ask)),
                // The newest ping was for somebody else, who may have left since.
                Some(ping) if (ping.received, ping.ping) < (job.received, job.ping) => older = older.or(Some(ping.ask)),
                // It was pinged again a moment ago, and the job is about to be renewed.
                Some(_) => {}
                None => tracing::error!("a ping does not open, so it was altered; check the disk"),
            }
        }
        Ok(older)
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
        let state = StoredState { begun: true, ..StoredState::of(job) };
        let _writing = self.writing();
        self.persist(&job.pull(), &state)
    }

    /// What has happened to a job, as of this ping: durable where a restart must know it. Returns how far the job has
    /// come then; `None` where it is over.
    pub fn apply(&self, pull: &PullRef, event: Event, now: UnixSeconds, jitter: f64) -> Result<Option<State>, Error> {
        // What is never written need not wait for what is.
        let _writing = (event != Event::Delivered).then(|| self.writing());
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
            Action::Persist => self.persist(&job.pull(), &StoredState::of(&job))?,
            Action::Remove => self.delete(std::slice::from_ref(&job))?,
        }
        // Of an answer that is being filed nobody has to take anything.
        if job.state.phase != Phase::Delivered {
            self.changed.notify_one();
        }
        Ok((!over).then_some(job.state))
    }

    /// Forgets jobs that ended without data before this time; returns how many.
    pub fn expire(&self, before: UnixSeconds) -> Result<usize, Error> {
        let _writing = self.writing();
        let mut table = self.table();
        let over: Vec<Job> = table.ended_before(before).iter().filter_map(|id| table.remove(id)).collect();
        drop(table);
        self.delete(&over)?;
        Ok(over.len())
    }

    /// Puts it beside the rows that filing wrote; not for a ping that was renewed, or for who has left since. The
    /// caller holds [`Queue::writing`].
    fn persist(&self, pull: &PullRef, state: &StoredState) -> Result<(), Error> {
        let rows = self.table().rows(pull).map_or_else(Vec::new, <[_]>::to_vec);
        let mut batch = Batch::default();
        for (owner, name) in &rows {
            // Whose keys are gone has no rows to stand beside.
            let Some((keys, is_held)) = self.keys(owner) else { continue };
            if let Some((row, sealed)) = state.seal(owner, name, &keys, is_held, &*self.parts.rng) {
                batch.put(row, sealed);
            }
        }
        Ok(self.parts.engine.commit(batch)?)
    }

    /// The rows of these jobs; the caller holds [`Queue::writing`].
    fn delete(&self, jobs: &[Job]) -> Result<(), Error> {
        let mut batch = Batch::default();
        jobs.iter().flat_map(|job| keys_of(&job.rows)).for_each(|row| batch.delete(row));
        if batch.is_empty() {
            return Ok(());
        }
        Ok(self.parts.engine.commit(batch)?)
    }
}
