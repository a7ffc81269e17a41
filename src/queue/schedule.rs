//! The jobs in memory: which is next, when, and for whom.
//!
//! Every operation takes a logarithm of the jobs, but [`Schedule::list`]. The URL of a job is not here; with its
//! places in the orders below a job takes less than [`JOB_BYTES_MAX`].
//!
//! ```text
//! jobs   by id ──────────────────────────────▶ Job
//! host   later: by time ──(time has come)──▶ due: files first, then deadline, then age
//! owners by owner and id          deadlines: by deadline, of jobs that wait
//! ```
//! A host that does not answer holds its own slots and nobody else's. A slot is held from [`Schedule::take`] to
//! [`Schedule::release`], whatever becomes of the job meanwhile: while it is held, the job is not taken again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::id::OwnerId;
use crate::model::pull::{PullId, PullRef};
use crate::model::time::UnixSeconds;
use crate::queue::job::{End, Job, Phase};
use crate::queue::plan;
use crate::records::index::KeyDigest;

/// The most memory that a job with two rows takes, in bytes.
pub const JOB_BYTES_MAX: usize = 1024;

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Requests at once to one host.
    pub concurrency: usize,
    /// Jobs at most; a ping more is refused.
    pub jobs_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { concurrency: 4, jobs_max: 100_000 }
    }
}

/// There are too many jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Jobs by what is to happen with them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They wait for their time, or for a slot.
    pub waiting: usize,
    /// Their request is under way.
    pub running: usize,
    /// Their answer is being filed.
    pub delivered: usize,
    /// They ended without data, in the order of [`End::ALL`].
    pub ended: [usize; End::ALL.len()],
}

/// Which jobs are listed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// Only those that ended without data.
    pub ended_only: bool,
    /// Only those with a row of this owner.
    pub owner: Option<OwnerId>,
    /// Only those behind this one.
    pub after: Option<PullId>,
}

/// What is taken first among what is due.
type Order = (bool, UnixSeconds, u64, PullId);

/// The jobs.
#[derive(Debug)]
pub struct Schedule {
    settings: Settings,
    jobs: BTreeMap<PullId, Job>,
    hosts: BTreeMap<u16, Host>,
    owners: BTreeSet<(OwnerId, PullId)>,
    deadlines: BTreeSet<(UnixSeconds, PullId)>,
    /// Requests under way, by the host they go to.
    slots: HashMap<PullId, u16>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Host {
    later: BTreeSet<(UnixSeconds, PullId)>,
    due: BTreeSet<Order>,
    busy: usize,
}

impl Schedule {
    /// No jobs.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            jobs: BTreeMap::new(),
            hosts: BTreeMap::new(),
            owners: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            slots: HashMap::new(),
            counts: Counts::default(),
        }
    }

    /// A job, in the place of what there was of the same id.
    pub fn insert(&mut self, job: Job) -> Result<(), Full> {
        let is_new = !self.jobs.contains_key(&job.id);
        if is_new && self.jobs.len() >= self.settings.jobs_max {
            return Err(Full);
        }
        self.remove(&job.id);
        self.enter(job);
        Ok(())
    }

    /// Changes a job; whether there is one.
    pub fn update(&mut self, id: &PullId, change: impl FnOnce(&mut Job)) -> bool {
        let Some(mut job) = self.remove(id) else { return false };
        change(&mut job);
        job.id = *id;
        self.enter(job);
        true
    }

    /// Takes a job out.
    pub fn remove(&mut self, id: &PullId) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        *self.count(&job.state.phase) -= 1;
        for (owner, _) in &job.rows {
            self.owners.remove(&(*owner, job.id));
        }
        if let Phase::Waiting(at) = job.state.phase {
            self.deadlines.remove(&(job.deadline, job.id));
            let host = self.hosts.entry(job.host).or_default();
            host.later.remove(&(at, job.id));
            host.due.remove(&order(&job));
            self.drop_idle(job.host);
        }
        Some(job)
    }

    /// A job.
    pub fn get(&self, id: &PullId) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// The rows of the job that this is a ping of; `None` where a newer ping came, or the job is gone.
    pub fn rows(&self, pull: &PullRef) -> Option<&[(OwnerId, KeyDigest)]> {
        let job = self.jobs.get(&pull.id)?;
        (job.ping == pull.ping).then_some(&job.rows)
    }

    /// Whether there is no job.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The next job that is due at a host with a free slot, or whose deadline has passed: then the slots do not
    /// matter, because nothing is asked for. It runs from here on, and holds a slot.
    pub fn take(&mut self, now: UnixSeconds) -> Option<Job> {
        let id = self.overdue(now).or_else(|| self.next_due(now))?;
        let mut job = self.remove(&id)?;
        job.state = plan::started(&job, now);
        self.slots.insert(id, job.host);
        self.hosts.entry(job.host).or_default().busy += 1;
        self.enter(job.clone());
        Some(job)
    }

    /// The request has ended, or was never made: its slot is free.
    pub fn release(&mut self, id: &PullId) {
        let Some(host) = self.slots.remove(id) else { return };
        if let Some(host) = self.hosts.get_mut(&host) {
            host.busy -= 1;
        }
        if let Some(job) = self.jobs.get(id) {
            let job = job.clone();
            self.stand_in_line(&job);
        }
        self.drop_idle(host);
    }

    /// When [`Schedule::take`] may have something next, as far as time alone decides; the past where it has now.
    pub fn next_at(&self) -> Option<UnixSeconds> {
        let concurrency = self.settings.concurrency;
        let free = self.hosts.values().filter(|host| host.busy < concurrency);
        let due = free.filter_map(|host| {
            if host.due.is_empty() { host.later.first().map(|(at, _)| *at) } else { Some(UnixSeconds(i64::MIN)) }
        });
        let deadline = self.deadlines.iter().find(|(_, id)| !self.slots.contains_key(id)).map(|(at, _)| *at);
        due.chain(deadline).min()
    }

    /// Jobs by what is to happen with them.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The nearest deadline of a job that waits.
    pub fn nearest_deadline(&self) -> Option<UnixSeconds> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The jobs of a filter, ordered by id.
    pub fn list<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = &'a Job> + 'a {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = filter.after.map_or(Unbounded, Excluded);
        self.jobs.range((from, Unbounded)).map(|(_, job)| job).filter(|job| {
            let is_of_owner = filter.owner.is_none_or(|owner| job.rows.iter().any(|(row, _)| *row == owner));
            is_of_owner && (!filter.ended_only || matches!(job.state.phase, Phase::Ended(..)))
        })
    }

    /// The jobs that ended without data before this time.
    pub fn ended_before(&self, time: UnixSeconds) -> Vec<PullId> {
        let is_over = |job: &&Job| matches!(job.state.phase, Phase::Ended(_, at) if at < time);
        self.jobs.values().filter(is_over).map(|job| job.id).collect()
    }

    /// Takes the rows of an owner out, and the jobs that have no others; returns the rows.
    pub fn forget(&mut self, owner: &OwnerId) -> Vec<(PullId, KeyDigest)> {
        let first = (*owner, PullId([0; 12]));
        let of_owner = self.owners.range(first..).take_while(|(other, _)| other == owner);
        let ids: Vec<PullId> = of_owner.map(|(_, id)| *id).collect();
        let mut forgotten = Vec::new();
        for id in ids {
            let Some(mut job) = self.remove(&id) else { continue };
            forgotten.extend(job.rows.extract_if(.., |(row, _)| row == owner).map(|(_, key)| (id, key)));
            if !job.rows.is_empty() {
                self.enter(job);
            }
        }
        forgotten
    }

    fn overdue(&self, now: UnixSeconds) -> Option<PullId> {
        let overdue = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        overdue.map(|(_, id)| *id).find(|id| !self.slots.contains_key(id))
    }

    fn next_due(&mut self, now: UnixSeconds) -> Option<PullId> {
        let Self { jobs, hosts, settings, .. } = self;
        for host in hosts.values_mut() {
            while let Some((at, id)) = host.later.first().copied().filter(|(at, _)| *at <= now) {
                host.later.remove(&(at, id));
                host.due.extend(jobs.get(&id).map(order));
            }
        }
        let free = hosts.values().filter(|host| host.busy < settings.concurrency);
        free.filter_map(|host| host.due.first()).min().map(|(.., id)| *id)
    }

    fn enter(&mut self, job: Job) {
        *self.count(&job.state.phase) += 1;
        for (owner, _) in &job.rows {
            self.owners.insert((*owner, job.id));
        }
        if let Phase::Waiting(_) = job.state.phase {
            self.deadlines.insert((job.deadline, job.id));
        }
        self.stand_in_line(&job);
        self.jobs.insert(job.id, job);
    }

    fn stand_in_line(&mut self, job: &Job) {
        if let Phase::Waiting(at) = job.state.phase
            && !self.slots.contains_key(&job.id)
        {
            self.hosts.entry(job.host).or_default().later.insert((at, job.id));
        }
    }

    fn drop_idle(&mut self, host: u16) {
        if self.hosts.get(&host).is_some_and(|host| host.busy == 0 && host.later.is_empty() && host.due.is_empty()) {
            self.hosts.remove(&host);
        }
    }

    fn count(&mut self, phase: &Phase) -> &mut usize {
        match phase {
            Phase::Waiting(_) => &mut self.counts.waiting,
            Phase::Running => &mut self.counts.running,
            Phase::Delivered => &mut self.counts.delivered,
            Phase::Ended(end, _) => &mut self.counts.ended[place(*end)],
        }
    }
}

fn order(job: &Job) -> Order {
    (!job.is_file(), job.deadline, job.ping, job.id)
}

fn place(end: End) -> usize {
    match end {
        End::Refused => 0,
        End::NotPermitted => 1,
        End::Gone => 2,
        End::Expired => 3,
    }
}

#[cfg(test)]
mod tests;
