//! A start: the jobs are read back from the rows of everybody there are keys for.

use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::crypto::digest::DigestKey;
use crate::crypto::keyring::OwnerKeys;
use crate::model::entry::Field;
use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::queue::job::{Job, Phase, State, URL_LIFE_S};
use crate::queue::plan::{Event, step};
use crate::queue::schedule::Schedule;
use crate::queue::stored::{Ping, StoredState, parts, state_row};
use crate::queue::{Error, Parts, Queue, Settings};
use crate::records::index::KeyDigest;
use crate::store::engine::{Batch, row, table};
use crate::upstream::rules::Rules;

impl Queue {
    /// The queue as the store has it; what was running is tried again. `callbacks` tells the host of each.
    pub fn open_store(settings: Settings, parts: Parts, callbacks: &Rules, now: UnixSeconds) -> Result<Queue, Error> {
        let ids = DigestKey::new(&parts.keyring.site().index, "pull");
        let queue = Queue {
            parts,
            settings,
            hosts: Mutex::default(),
            ids,
            seen: AtomicI64::new(now.0),
            table: Mutex::new(Schedule::new(settings.schedule)),
            writing: Mutex::default(),
            changed: Notify::new(),
        };
        for owner in queue.parts.keyring.owners() {
            if let Some((keys, is_held)) = queue.keys(&owner) {
                queue.find(&owner, &keys, is_held, callbacks, now)?;
            }
        }
        Ok(queue)
    }

    fn find(
        &self,
        owner: &OwnerId,
        keys: &Arc<OwnerKeys>,
        is_held: bool,
        callbacks: &Rules,
        now: UnixSeconds,
    ) -> Result<(), Error> {
        let mut states: HashMap<KeyDigest, StoredState> = HashMap::new();
        self.scan(owner, table::PULL_STATE, &mut |name, sealed| {
            if let Some(state) = StoredState::open(owner, &name, keys, is_held, sealed) {
                states.insert(name, state);
            }
        })?;
        self.scan(owner, table::PULL, &mut |name, sealed| {
            let Some(ping) = Ping::open(owner, &name, keys, is_held, sealed) else {
                tracing::error!("a ping does not open; it was altered");
                return;
            };
            let state = states.remove(&name).filter(|state| state.ping == ping.ping);
            self.add(ping, state, (*owner, name), callbacks, now);
        })?;
        let mut orphans = Batch::default();
        states.into_keys().for_each(|name| orphans.delete(state_row(owner, &name)));
        if !orphans.is_empty() {
            self.parts.engine.commit(orphans)?;
        }
        Ok(())
    }

    /// Straight into the table, so that a start takes no more memory than the jobs do.
    fn add(
        &self,
        ping: Ping,
        stored: Option<StoredState>,
        row: (OwnerId, KeyDigest),
        callbacks: &Rules,
        now: UnixSeconds,
    ) {
        let Ping { summary_type, received, ping, ask } = ping;
        let connection = self.parts.people.digest(&ask.client, ask.user.expose());
        let kept = |wanted| ask.fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| &**text);
        let field = |wanted| if wanted == Field::CallbackUrl { Some(&*ask.url) } else { kept(wanted) };
        let id = self.id(&connection, &parts(&summary_type, field));
        // The settings may have changed since: what may not be fetched any more ends when it is tried.
        let callback = callbacks.vet(&ask.url);
        let host = self.host(callback.as_ref().map_or("", |callback| callback.host()));
        let deadline = received.plus(URL_LIFE_S);
        let state = State { phase: Phase::Waiting(received), attempts: 0, last: None, begun: false };
        let mut job = Job { id, ping, summary_type, host, received, deadline, state, rows: vec![row] };
        let mut table = self.table();
        if let Some(known) = table.get(&id) {
            let is_newer = (received, ping) > (known.received, known.ping);
            if !is_newer {
                let had_state = known.state.attempts > 0 || !matches!(known.state.phase, Phase::Waiting(_));
                let stored = stored.filter(|_| ping == known.ping && !had_state);
                table.update(&id, |known| {
                    known.rows.push(row);
                    self.go_on(known, stored, now);
                });
                return;
            }
            job.rows = [&known.rows[..], &[row]].concat();
        }
        self.go_on(&mut job, stored, now);
        if table.insert(job).is_err() {
            tracing::error!("more pings wait than the gateway takes; they are pulled after a restart");
        }
    }

    /// Where the job had come to; what was running is tried again.
    fn go_on(&self, job: &mut Job, stored: Option<StoredState>, now: UnixSeconds) {
        if let Some(stored) = stored {
            job.deadline = stored.deadline;
            let phase = stored.ended.map_or(Phase::Running, |(end, at)| Phase::Ended(end, at));
            job.state = State { phase, attempts: stored.attempts, last: stored.last, begun: stored.begun };
            job.state = step(job, job.ping, Event::Restarted, &self.turn(now, 0.0)).state;
        }
        job.put_back(now);
    }

    /// Every row of a table of an owner, by its name.
    pub(super) fn scan(&self, owner: &OwnerId, table: u8, each: &mut dyn FnMut(KeyDigest, &[u8])) -> Result<(), Error> {
        let prefix = row(owner.as_bytes(), table, &[]);
        self.parts.engine.scan(&prefix, &mut |key, sealed| {
            if let Ok(name) = key[prefix.len()..].try_into() {
                each(KeyDigest(name), sealed);
            }
            true
        })?;
        Ok(())
    }
}
