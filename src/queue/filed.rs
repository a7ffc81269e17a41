//! Filing's side of the queue: pings that were filed, answers that were filed, owners who leave.

use crate::model::connection::ConnectionDigest;
use crate::model::id::OwnerId;
use crate::model::pull::{PullId, PullRef};
use crate::model::time::UnixSeconds;
use crate::queue::job::{Job, Phase, State, URL_LIFE_S};
use crate::queue::plan::{self, Event};
use crate::queue::schedule::Schedule;
use crate::queue::{Pinged, Queue, Told, keys_of};
use crate::records::index::KeyDigest;

impl Queue {
    /// The job that this connection's ping belongs to; `parts` as [`parts`](crate::queue::stored::parts) gives them.
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

    /// Whether this row holds a ping that came later.
    pub fn has_newer(&self, id: &PullId, row: &(OwnerId, KeyDigest), received: UnixSeconds) -> bool {
        self.table().get(id).is_some_and(|job| job.received > received && job.rows.contains(row))
    }

    /// The rows that go with the answer to this ping; none where it was pinged again since.
    pub fn rows(&self, pull: &PullRef) -> Vec<Vec<u8>> {
        self.table().rows(pull).map_or_else(Vec::new, keys_of)
    }

    /// Has filing commit, and takes in what was committed, in this order. In between, nothing of the queue's own is
    /// written: a row that is new on the disk is not one of the job that is known until then.
    pub fn filing<E>(
        &self,
        told: Vec<Told>,
        now: UnixSeconds,
        commit: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        if told.is_empty() {
            return commit();
        }
        let _writing = self.writing();
        commit()?;
        self.filed(told, now);
        Ok(())
    }

    fn filed(&self, told: Vec<Told>, now: UnixSeconds) {
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
            if ping > job.ping && received >= job.received {
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

    /// What this owner was to get is not pulled any more for them; no row of theirs is written from here on.
    pub fn forget(&self, owner: &OwnerId) {
        let _writing = self.writing();
        self.table().forget(owner);
    }
}
