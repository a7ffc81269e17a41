//! What a person sees of pulls, and decides about them.
//!
//! Never: a URL's token; a Garmin id; a job of nobody but who has left.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::rights::Reach;
use crate::app::site::Site;
use crate::http::local::desk::Concerned;
use crate::model::id::OwnerId;
use crate::model::pull::PullId;
use crate::model::time::UnixSeconds;
use crate::people::People;
use crate::people::directory::Directory;
use crate::people::refusal::{Kind, Refusal};
use crate::queue::job::{End, Phase};
use crate::queue::plan::Event;
use crate::queue::schedule::Filter;
use crate::queue::view::Shown;
use crate::queue::{Error, Queue};

/// Jobs that are looked at together.
const LISTED_MAX: usize = 1000;

/// The queue of pulls as a person has it.
pub(super) struct Pulls {
    queue: Arc<Queue>,
    people: Arc<People>,
}

impl Pulls {
    pub(super) fn new(site: &Site) -> Self {
        Self { queue: Arc::clone(&site.queue), people: Arc::clone(&site.people) }
    }

    /// Jobs within this reach by id, so many behind `after`; only those that ended without data unless all are wanted. The second is
    /// where to go on, `None` at the end.
    pub(super) fn list(
        &self,
        all: bool,
        after: Option<&str>,
        limit: usize,
        reach: &Reach,
    ) -> Result<(Vec<Value>, Option<String>), Refusal> {
        let wrong = || Refusal::Other(Kind::Invalid, "\"after\" is no pull's id.".to_owned());
        let mut after = after.map(|text| PullId::parse(text).ok_or_else(wrong)).transpose()?;
        let mut shown = Vec::new();
        loop {
            let jobs =
                self.queue.list(&Filter { ended_only: !all, owner: None, after }, LISTED_MAX).map_err(refusal)?;
            let directory = self.people.read();
            for job in &jobs {
                let within = is_within(&directory, &job.owners, reach);
                let Some(view) = within.then(|| view(&directory, job)).flatten() else { continue };
                if shown.len() == limit {
                    return Ok((shown, after.map(|id| id.text())));
                }
                shown.push(view);
                after = Some(job.id);
            }
            match jobs.last() {
                Some(last) if jobs.len() == LISTED_MAX => after = Some(last.id),
                Some(_) | None => return Ok((shown, None)),
            }
        }
    }

    /// The job is tried again at once; returns whom it is for.
    pub(super) fn retry(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.decide(id, Event::Retry, now, reach)
    }

    /// The job is given up; returns whom it was for.
    pub(super) fn remove(&self, id: &str, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        self.decide(id, Event::Dropped, now, reach)
    }

    fn decide(&self, id: &str, event: Event, now: UnixSeconds, reach: &Reach) -> Result<Vec<Concerned>, Refusal> {
        let id = PullId::parse(id).ok_or_else(unknown)?;
        let within = |owners: &Vec<OwnerId>| is_within(&self.people.read(), owners, reach);
        self.queue.owners(&id).filter(within).ok_or_else(unknown)?;
        let owners = self.queue.decide(&id, event, now).map_err(refusal)?.ok_or_else(unknown)?;
        let directory = self.people.read();
        Ok(owners.iter().filter_map(|owner| concerned(&directory, owner)).collect())
    }

    /// What `status` shows of the queue.
    pub(super) fn status(&self) -> Value {
        let counts = self.queue.counts();
        let ended = End::ALL.iter().zip(counts.ended).map(|(end, count)| (end.name().to_owned(), json!(count)));
        json!({
            "waiting": counts.waiting,
            "running": counts.running,
            "delivered": counts.delivered,
            "ended": Value::Object(ended.collect()),
            "nearest_deadline": self.queue.nearest_deadline().map(|at| at.to_string()),
        })
    }
}

/// Whether all whom a job is for are within the reach: one that serves another study, too, is not this study's to
/// decide about.
fn is_within(directory: &Directory, owners: &[OwnerId], reach: &Reach) -> bool {
    let study = |owner| concerned(directory, owner).map(|concerned| concerned.study);
    owners.iter().all(|owner| reach.covers_some(study(owner).as_deref()))
}

/// `None` where nobody whom it is for still takes part.
fn view(directory: &Directory, job: &Shown) -> Option<Value> {
    let whom: Vec<Value> = job.owners.iter().filter_map(|owner| participant(directory, owner)).collect();
    if whom.is_empty() {
        return None;
    }
    let (state, next, ended) = match job.state.phase {
        Phase::Waiting(at) => ("waiting", Some(at), None),
        Phase::Running => ("running", None, None),
        Phase::Delivered => ("delivered", None, None),
        Phase::Ended(end, at) => (end.name(), None, Some(at)),
    };
    Some(json!({
        "id": job.id.text(),
        "type": job.summary_type.name(),
        "state": state,
        "received": job.received.to_string(),
        "deadline": job.deadline.to_string(),
        "next": next.map(|at| at.to_string()),
        "ended": ended.map(|at| at.to_string()),
        "attempts": job.state.attempts,
        "last": job.state.last.map(|setback| setback.text()),
        "url": job.place,
        "for": whom,
    }))
}

fn participant(directory: &Directory, owner: &OwnerId) -> Option<Value> {
    if let Some(connection) = directory.held_owner(owner) {
        return Some(json!({ "unassigned": connection.held.handle }));
    }
    directory.participant(owner).filter(|found| found.is_readable())?;
    concerned(directory, owner).map(|Concerned { study, code }| json!({ "study": study, "code": code }))
}

fn concerned(directory: &Directory, owner: &OwnerId) -> Option<Concerned> {
    let found = directory.participant(owner)?;
    let study = directory.study_of_id(&found.study)?;
    Some(Concerned { study: study.name.clone(), code: found.code.to_string() })
}

fn unknown() -> Refusal {
    Refusal::Other(Kind::NotFound, "There is no such pull; `studygate pulls list` shows them.".to_owned())
}

fn refusal(error: Error) -> Refusal {
    match error {
        Error::Store(cause) => cause.into(),
        Error::Records(cause) => crate::app::desk::unavailable(&cause),
    }
}
