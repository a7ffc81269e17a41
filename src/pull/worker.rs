//! The worker: takes jobs as they are due, one bounded step for each, and tells the queue what came of it.
//!
//! It begins once filing has caught up with what the journal held: what was delivered before a crash is not fetched
//! again. Stopping, it begins nothing more, and what is under way may end for a while.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use crate::clock::Clock;
use crate::crypto::key::Rng;
use crate::ingest::answer::{Answers, Pending};
use crate::journal::{Journal, Position};
use crate::lifecycle::Stopped;
use crate::model::time::UnixSeconds;
use crate::pull::hosts::Hosts;
use crate::pull::request::{Fetched, Requests, setback_of};
use crate::pull::slot::Slot;
use crate::queue::job::{Job, Setback};
use crate::queue::plan::Event;
use crate::queue::{Error, Queue};
use crate::telemetry::pull::PullMetrics;
use crate::upstream::Upstream;
use crate::upstream::rules::Rules;

/// How often filing is looked at by those who wait for it.
const FILING_LOOK: Duration = Duration::from_millis(50);

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long one request may take in all.
    pub request_time_max: Duration,
    /// Requests at once at most, and beside them as many answers that are being made durable.
    pub jobs_at_once_max: usize,
    /// How long requests may go on once the gateway stops.
    pub stop_patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            request_time_max: Duration::from_secs(600),
            jobs_at_once_max: 256,
            stop_patience: Duration::from_secs(20),
        }
    }
}

/// What the worker works with.
pub struct Parts {
    /// The jobs.
    pub queue: Arc<Queue>,
    /// The way out.
    pub upstream: Upstream,
    /// Where URLs may lead.
    pub rules: Rules,
    /// The way in.
    pub answers: Arc<Answers>,
    /// Where answers go, to see how far filing has come.
    pub journal: Journal,
    /// Randomness, for waits.
    pub rng: Arc<Rng>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Metrics.
    pub metrics: PullMetrics,
}

/// The store failed: nothing is pulled until a restart.
#[derive(Debug)]
pub struct StoreFailed(pub Error);

/// The worker. Cheap to clone.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) requests: Requests,
    pub(super) journal: Journal,
    pub(super) rng: Arc<Rng>,
    pub(super) clock: Arc<dyn Clock>,
    /// Nothing more is begun.
    stopping: AtomicBool,
}

/// A whole answer on its way to being durable.
type Settling = (Job, Pending);

impl Worker {
    /// A worker on this queue; there is to be one.
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let Parts { queue, upstream, rules, answers, journal, rng, clock, metrics } = parts;
        let time_max = settings.request_time_max;
        let requests = Requests { queue, upstream, rules, answers, metrics, time_max, hosts: Hosts::default() };
        let stopping = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { settings, requests, journal, rng, clock, stopping }) }
    }

    /// Pulls until the gateway stops or the store fails.
    pub async fn run(self, mut stopped: Stopped) -> Result<(), StoreFailed> {
        let shared = self.shared;
        let newest = shared.journal.newest();
        tokio::select! {
            biased;
            () = stopped.wait() => return Ok(()),
            () = shared.filed(newest) => {}
        }
        let (settling, whole) = mpsc::channel(shared.settings.jobs_at_once_max);
        let mut settler = tokio::spawn(Arc::clone(&shared).settle(whole));
        let mut lanes = JoinSet::new();
        let outcome = shared.take_jobs(&mut lanes, settling, &mut settler, &mut stopped).await;
        shared.stopping.store(true, Ordering::Release);
        let rest = async {
            while lanes.join_next().await.is_some() {}
            // With the last lane went the last sender.
            if !settler.is_finished() {
                drop((&mut settler).await)
            }
        };
        if tokio::time::timeout(shared.settings.stop_patience, rest).await.is_err() {
            tracing::debug!(lanes = lanes.len(), "requests are cut off, because the gateway stops");
            lanes.shutdown().await;
            settler.abort();
        }
        outcome
    }
}

impl Shared {
    async fn take_jobs(
        self: &Arc<Self>,
        lanes: &mut JoinSet<Result<(), Error>>,
        settling: mpsc::Sender<Settling>,
        settler: &mut JoinHandle<Result<(), Error>>,
        stopped: &mut Stopped,
    ) -> Result<(), StoreFailed> {
        let queue = &self.requests.queue;
        loop {
            let now = self.clock.now();
            while lanes.len() < self.settings.jobs_at_once_max
                && let Some(job) = queue.take(now)
            {
                lanes.spawn(Arc::clone(self).lane(job, settling.clone()));
            }
            let has_room = lanes.len() < self.settings.jobs_at_once_max;
            tokio::select! {
                biased;
                () = stopped.wait() => return Ok(()),
                // It ends before the lanes only where the store failed, or by a panic: without it no answer is seen off.
                ended = &mut *settler => return check(ended),
                Some(ended) = lanes.join_next() => check(ended)?,
                () = queue.wait(now), if has_room => {}
            }
        }
    }

    /// A job, and behind it one after the other that is due, as long as answers come whole: to go on costs less than to
    /// be told by somebody else.
    async fn lane(self: Arc<Self>, job: Job, settling: mpsc::Sender<Settling>) -> Result<(), Error> {
        let mut slot = Slot::of(&self.requests.queue, &job);
        let mut next = Some(job);
        while let Some(job) = next {
            let Some(pending) = self.step(&job, &mut slot).await? else { return Ok(()) };
            // Where nobody takes it any more, the store has failed, and that is told elsewhere.
            if settling.send((job, pending)).await.is_err() || self.stopping.load(Ordering::Acquire) {
                return Ok(());
            }
            next = slot.pass_on(self.clock.now());
        }
        Ok(())
    }

    /// Whole answers become durable in the order of the journal; so one waits for all.
    async fn settle(self: Arc<Self>, mut whole: mpsc::Receiver<Settling>) -> Result<(), Error> {
        while let Some((job, pending)) = whole.recv().await {
            let event = match pending.durable().await {
                Ok(_) => Event::Delivered,
                Err(refusal) => Event::Failed { setback: setback_of(&refusal), data_began: true },
            };
            self.apply(&job, event).await?;
        }
        Ok(())
    }

    /// All that happens to a job once it is taken, but to a whole answer: that is given back. The slot of its host is
    /// free as soon as its request is over.
    async fn step(&self, job: &Job, slot: &mut Slot<'_>) -> Result<Option<Pending>, Error> {
        let queue = &self.requests.queue;
        let now = self.clock.now();
        let event = if now >= job.deadline {
            Event::Overdue
        // One small row, nearly always in the store's memory: a thread for it would cost many times what reading does.
        } else if let Some(ask) = queue.open(job)? {
            if queue.is_permitted(job, &ask) {
                match self.requests.fetch(job, &ask, now).await? {
                    Fetched::Whole(pending) => return Ok(Some(pending)),
                    Fetched::Failed { setback, data_began } => Event::Failed { setback, data_began },
                    Fetched::Answered { status, retry_after } => {
                        slot.free();
                        self.without_data(job, ask, (status, retry_after), now).await?
                    }
                }
            } else {
                Event::NotPermitted
            }
        } else {
            slot.free();
            // Where it was pinged again a moment ago, the queue is told so by then.
            self.filed(self.journal.newest()).await;
            // A participant who is locked may come back, and then the job goes on.
            let rests = Event::Failed { setback: Setback::NotStored, data_began: false };
            if queue.rests(job) { rests } else { Event::Dropped }
        };
        slot.free();
        self.apply(job, event).await?;
        Ok(None)
    }

    /// Returns when filing has come as far as this.
    pub(super) async fn filed(&self, position: Position) {
        while self.journal.filed() < position {
            tokio::time::sleep(FILING_LOOK).await;
        }
    }
}

fn check(ended: Result<Result<(), Error>, JoinError>) -> Result<(), StoreFailed> {
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StoreFailed(error)),
        Err(error) => {
            // Its job stays as it is until a restart; the others know nothing of it.
            tracing::error!(
                is_panic = error.is_panic(),
                "a pull ended unexpectedly; it is tried again after a restart"
            );
            Ok(())
        }
    }
}

/// Brings the gauges up to date.
pub fn gauge(queue: &Queue, metrics: &PullMetrics, now: UnixSeconds) {
    let counts = queue.counts();
    let expires_in = queue.nearest_deadline().map(|deadline| deadline.0.saturating_sub(now.0));
    metrics.gauge(counts.waiting + counts.running + counts.delivered, expires_in);
}

impl fmt::Display for StoreFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pulling has stopped: {}", self.0)
    }
}

impl std::error::Error for StoreFailed {}
