//! The worker: takes jobs as they are due, one bounded step for each, and tells the queue what came of it.
//!
//! It begins once filing has caught up with what the journal held: what was delivered before a crash is not fetched
//! again. Stopping, it begins nothing more, and what is under way may end for a while.

use std::{fmt, sync::Arc, time::Duration};

use tokio::task::{JoinError, JoinSet, spawn_blocking};

use crate::clock::Clock;
use crate::crypto::key::Rng;
use crate::ingest::answer::{Answers, Pending};
use crate::journal::{Journal, Position};
use crate::lifecycle::Stopped;
use crate::model::pull::PullId;
use crate::model::time::UnixSeconds;
use crate::pull::hosts::Hosts;
use crate::pull::request::{Fetched, Requests, setback_of};
use crate::queue::job::{End, Job, Phase, Setback, State};
use crate::queue::plan::Event;
use crate::queue::{Ask, Error, Queue};
use crate::telemetry::pull::{PullMetrics, PullResult};
use crate::upstream::Upstream;
use crate::upstream::rules::Rules;

/// How often filing is looked at by those who wait for it.
const FILING_LOOK: Duration = Duration::from_millis(50);

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long one request may take in all.
    pub request_time_max: Duration,
    /// Jobs at once at most: requests, and answers that are made durable.
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

struct Shared {
    settings: Settings,
    requests: Requests,
    journal: Journal,
    rng: Arc<Rng>,
    clock: Arc<dyn Clock>,
}

/// The slot of a job's host; free again when dropped.
struct Slot<'a>(&'a Queue, PullId);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.release(&self.1);
    }
}

impl Worker {
    /// A worker on this queue; there is to be one.
    pub fn new(settings: Settings, parts: Parts) -> Self {
        let Parts { queue, upstream, rules, answers, journal, rng, clock, metrics } = parts;
        let time_max = settings.request_time_max;
        let requests = Requests { queue, upstream, rules, answers, metrics, time_max, hosts: Hosts::default() };
        Self { shared: Arc::new(Shared { settings, requests, journal, rng, clock }) }
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
        let mut jobs = JoinSet::new();
        let outcome = shared.take_jobs(&mut jobs, &mut stopped).await;
        let patience = shared.settings.stop_patience;
        let rest = async { while jobs.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, rest).await.is_err() {
            tracing::debug!(jobs = jobs.len(), "requests are cut off, because the gateway stops");
            jobs.shutdown().await;
        }
        outcome
    }
}

impl Shared {
    async fn take_jobs(
        self: &Arc<Self>,
        jobs: &mut JoinSet<Result<(), Error>>,
        stopped: &mut Stopped,
    ) -> Result<(), StoreFailed> {
        let queue = &self.requests.queue;
        loop {
            let now = self.clock.now();
            while jobs.len() < self.settings.jobs_at_once_max
                && let Some(job) = queue.take(now)
            {
                let shared = Arc::clone(self);
                jobs.spawn(async move { shared.step(job).await });
            }
            let has_room = jobs.len() < self.settings.jobs_at_once_max;
            tokio::select! {
                biased;
                () = stopped.wait() => return Ok(()),
                Some(ended) = jobs.join_next() => check(ended)?,
                () = queue.wait(now), if has_room => {}
            }
        }
    }

    /// All that happens to a job once it is taken.
    async fn step(&self, job: Job) -> Result<(), Error> {
        let queue = &self.requests.queue;
        let slot = Slot(queue, job.id);
        let now = self.clock.now();
        if now >= job.deadline {
            return self.apply(&job, Event::Overdue).await;
        }
        // One small row, nearly always in the store's memory: a thread for it would cost many times what reading does.
        let Some(ask) = queue.open(&job)? else {
            drop(slot);
            // Where it was pinged again a moment ago, the queue is told so by then.
            self.filed(self.journal.newest()).await;
            return self.apply(&job, Event::Dropped).await;
        };
        if !queue.is_permitted(&job, &ask) {
            drop(slot);
            return self.apply(&job, Event::NotPermitted).await;
        }
        let fetched = self.requests.fetch(&job, &ask, now).await?;
        drop(slot);
        let event = match fetched {
            Fetched::Whole(pending) => self.delivered(pending).await,
            Fetched::Answered { status, retry_after } => {
                let held = match status {
                    410 => self.is_held(&job, ask).await,
                    412 => {
                        self.note_refused(&job, ask, now).await;
                        Ok(false)
                    }
                    _ => Ok(false),
                };
                match held {
                    Ok(held) => Event::Answered { status, retry_after, held },
                    Err(Error::Store(error)) => return Err(Error::Store(error)),
                    Err(error @ Error::Records(_)) => {
                        tracing::error!(%error, "whether a file is held cannot be said");
                        Event::Failed { setback: Setback::NotStored, data_began: false }
                    }
                }
            }
            Fetched::Failed { setback, data_began } => Event::Failed { setback, data_began },
        };
        self.apply(&job, event).await
    }

    async fn delivered(&self, pending: Pending) -> Event {
        match pending.durable().await {
            Ok(_) => Event::Delivered,
            Err(refusal) => Event::Failed { setback: setback_of(&refusal), data_began: true },
        }
    }

    /// Whether the file is in the store: what is in the journal by now counts.
    async fn is_held(&self, job: &Job, ask: Ask) -> Result<bool, Error> {
        self.filed(self.journal.newest()).await;
        let (queue, job) = (Arc::clone(&self.requests.queue), job.clone());
        spawn_blocking(move || queue.is_held(&job, &ask)).await.expect("looking a file up does not panic")
    }

    /// Garmin says that the user does not permit what was asked for then.
    async fn note_refused(&self, job: &Job, ask: Ask, asked: UnixSeconds) {
        let (queue, job) = (Arc::clone(&self.requests.queue), job.clone());
        let noted = spawn_blocking(move || queue.note_refused(&job, &ask, asked)).await;
        noted.expect("noting a refusal does not panic");
    }

    /// Returns when filing has come as far as this.
    async fn filed(&self, position: Position) {
        while self.journal.filed() < position {
            tokio::time::sleep(FILING_LOOK).await;
        }
    }

    async fn apply(&self, job: &Job, event: Event) -> Result<(), Error> {
        let (queue, pull) = (Arc::clone(&self.requests.queue), job.pull());
        let (now, jitter) = (self.clock.now(), self.jitter());
        let state = if event == Event::Delivered {
            // Only in memory: the answer's rows go when it is filed.
            queue.apply(&pull, event, now, jitter)?
        } else {
            let applied = spawn_blocking(move || queue.apply(&pull, event, now, jitter)).await;
            applied.expect("deciding on a job does not panic")?
        };
        if let Some(result) = result_of(event, state) {
            self.requests.metrics.count(&job.summary_type, result);
        }
        Ok(())
    }

    /// A random number in [0, 1); without randomness, the longest wait is as good as any.
    fn jitter(&self) -> f64 {
        let mut bytes = [0; 4];
        match self.rng.fill(&mut bytes) {
            Ok(()) => f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
            Err(_) => 1.0,
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

/// What a request is counted as, by what the queue made of it.
fn result_of(event: Event, state: Option<State>) -> Option<PullResult> {
    let Some(state) = state else {
        let is_done = matches!(event, Event::Delivered | Event::Answered { held: true, .. });
        return Some(if is_done { PullResult::Done } else { PullResult::Dropped });
    };
    match state.phase {
        _ if event == Event::Delivered => Some(PullResult::Done),
        Phase::Ended(End::Refused, _) => Some(PullResult::Refused),
        Phase::Ended(End::NotPermitted, _) => Some(PullResult::NotPermitted),
        Phase::Ended(End::Gone, _) => Some(PullResult::Gone),
        Phase::Ended(End::Expired, _) => Some(PullResult::Expired),
        Phase::Waiting(_) if !matches!(event, Event::Overdue | Event::Dropped) => Some(PullResult::Again),
        Phase::Waiting(_) | Phase::Running | Phase::Delivered => None,
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
