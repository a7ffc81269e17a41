//! One request: from the URL to an answer that is whole, or to why there is none.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::task::spawn_blocking;

use crate::ingest::answer::{AnswerTo, Answers, FileIntake, Pending, RecordsIntake};
use crate::ingest::file_kind::FileKind;
use crate::ingest::refusal::Refusal;
use crate::model::entry::Field;
use crate::model::time::UnixSeconds;
use crate::pull::hosts::Hosts;
use crate::queue::job::{Job, Setback};
use crate::queue::plan::{Meaning, meaning};
use crate::queue::{Ask, Error, Queue};
use crate::telemetry::pull::PullMetrics;
use crate::upstream::Upstream;
use crate::upstream::answer::Answer;
use crate::upstream::fault::Fault;
use crate::upstream::rules::{Callback, Rules};

/// What a request works with.
pub(crate) struct Requests {
    pub(crate) queue: Arc<Queue>,
    pub(crate) upstream: Upstream,
    pub(crate) rules: Rules,
    pub(crate) answers: Arc<Answers>,
    pub(crate) metrics: PullMetrics,
    /// How long one may take in all.
    pub(crate) time_max: Duration,
    pub(crate) hosts: Hosts,
}

/// What a request has come to.
pub(crate) enum Fetched {
    /// The data are whole, and about to be durable.
    Whole(Pending),
    /// An answer without data.
    Answered { status: u16, retry_after: Option<Duration> },
    /// No whole answer.
    Failed { setback: Setback, data_began: bool },
}

/// Where the data go.
enum Intake {
    Records(Box<RecordsIntake>),
    File(Box<FileIntake>),
}

impl Requests {
    /// Makes the request of a job, if its URL may be followed. `now` is for a `Retry-After` that names a date.
    pub(crate) async fn fetch(&self, job: &Job, ask: &Ask, now: UnixSeconds) -> Result<Fetched, Error> {
        let id = job.id.text();
        let callback = match self.rules.vet(&ask.url) {
            Ok(callback) => callback,
            Err(refused) => {
                tracing::debug!(id, reason = refused.name(), "a pull's URL is refused");
                return Ok(failed(Setback::Elsewhere, false));
            }
        };
        let intake = match self.intake(job, ask).await? {
            Ok(intake) => intake,
            Err(refusal) => return Ok(failed(setback_of(&refusal), false)),
        };
        let mut data_began = false;
        let request = self.request(&callback, intake, now, &mut data_began);
        let fetched = match tokio::time::timeout(self.time_max, request).await {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(setback)) => failed(setback, data_began),
            Err(_) => failed(Setback::TimedOut, data_began),
        };
        let setback = match &fetched {
            Fetched::Whole(_) => None,
            Fetched::Answered { status, .. } => Some(Setback::Status(*status)),
            Fetched::Failed { setback, .. } => Some(*setback),
        };
        let (host, path) = (callback.host(), callback.path());
        self.hosts.tell(host, setback);
        let result = setback.map_or_else(|| "whole".to_owned(), Setback::text);
        tracing::debug!(id, host, path, result, "a pull was answered");
        Ok(fetched)
    }

    /// Where the answer goes. A file can be downloaded once: room for it is kept, and that it was asked for is durable,
    /// before anything is sent.
    async fn intake(&self, job: &Job, ask: &Ask) -> Result<Result<Intake, Refusal>, Error> {
        let to = AnswerTo {
            client: ask.client.clone(),
            user: ask.user.clone(),
            summary_type: job.summary_type.clone(),
            pull: job.pull(),
        };
        if !job.is_file() {
            return Ok(Ok(Intake::Records(Box::new(self.answers.records(to)))));
        }
        let kind = ask.fields.iter().find(|(field, _)| *field == Field::FileType);
        let kind = kind.and_then(|(_, text)| FileKind::parse(text));
        match self.answers.file(to, &ask.item, &ask.fields, kind).await {
            Ok(intake) => {
                let (queue, job) = (Arc::clone(&self.queue), job.clone());
                spawn_blocking(move || queue.begun(&job)).await.expect("marking a job does not panic")?;
                Ok(Ok(Intake::File(Box::new(intake))))
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn request(
        &self,
        callback: &Callback,
        intake: Intake,
        now: UnixSeconds,
        data_began: &mut bool,
    ) -> Result<Fetched, Setback> {
        let answer = self.upstream.get(callback).await.map_err(setback_of_fault)?;
        let status = answer.status();
        if meaning(status) != Meaning::Data {
            return Ok(Fetched::Answered { status, retry_after: answer.retry_after(now) });
        }
        *data_began = true;
        self.stream(answer, intake).await.map(Fetched::Whole)
    }

    async fn stream(&self, mut answer: Answer, mut intake: Intake) -> Result<Pending, Setback> {
        while let Some(chunk) = answer.chunk().await.map_err(setback_of_fault)? {
            self.metrics.answer_bytes.inc_by(chunk.len() as u64);
            intake.push(chunk).await.map_err(|refusal| setback_of(&refusal))?;
        }
        intake.end().await.map_err(|refusal| setback_of(&refusal))
    }
}

impl Intake {
    async fn push(&mut self, chunk: Bytes) -> Result<(), Refusal> {
        match self {
            Self::Records(records) => records.push(chunk).await,
            Self::File(file) => file.push(chunk).await,
        }
    }

    async fn end(self) -> Result<Pending, Refusal> {
        match self {
            Self::Records(records) => records.end().await,
            Self::File(file) => file.end().await,
        }
    }
}

fn failed(setback: Setback, data_began: bool) -> Fetched {
    Fetched::Failed { setback, data_began }
}

/// Why an answer could not be taken, as the list of pulls says it.
pub(crate) fn setback_of(refusal: &Refusal) -> Setback {
    match refusal {
        Refusal::Malformed(_) => Setback::Malformed,
        Refusal::TooLarge => Setback::TooLarge,
        Refusal::DiskLow | Refusal::Busy | Refusal::Stopping | Refusal::StoreFailed => Setback::NotStored,
    }
}

fn setback_of_fault(fault: Fault) -> Setback {
    match fault {
        // The URL was in order, but its name led to an address that is not Garmin's: a name server's fault, which may
        // pass. Nothing was connected to.
        Fault::Refused(_) | Fault::Unreachable => Setback::Unreachable,
        Fault::Tls => Setback::Tls,
        Fault::TimedOut => Setback::TimedOut,
        Fault::Broken => Setback::Cut,
        Fault::Coded => Setback::Malformed,
    }
}
