//! What came of a job: made out from what Garmin answered, told to the queue, counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::model::time::UnixSeconds;
use crate::pull::worker::Shared;
use crate::queue::job::{End, Job, Phase, Setback, State};
use crate::queue::plan::Event;
use crate::queue::{Ask, Error};
use crate::telemetry::pull::PullResult;

impl Shared {
    /// What a status without data means for this job.
    pub(super) async fn without_data(
        &self,
        job: &Job,
        ask: Ask,
        (status, retry_after): (u16, Option<Duration>),
        asked: UnixSeconds,
    ) -> Result<Event, Error> {
        let held = match status {
            410 => self.is_held(job, ask).await,
            412 => {
                self.note_refused(job, ask, asked).await;
                Ok(false)
            }
            _ => Ok(false),
        };
        match held {
            Ok(held) => Ok(Event::Answered { status, retry_after, held }),
            Err(Error::Store(error)) => Err(Error::Store(error)),
            Err(error @ Error::Records(_)) => {
                tracing::error!(%error, "whether a file is held cannot be said; it is fetched again, check the disk");
                Ok(Event::Failed { setback: Setback::NotStored, data_began: false })
            }
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

    pub(super) async fn apply(&self, job: &Job, event: Event) -> Result<(), Error> {
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
