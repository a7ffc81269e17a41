//! The queue as it is shown: to a person who looks at it, and to metrics.

use crate::model::id::OwnerId;
use crate::model::pull::{PullId, PullRef};
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::queue::job::{Job, State};
use crate::queue::plan::Event;
use crate::queue::schedule::{Counts, Filter};
use crate::queue::stored::Ping;
use crate::queue::{Error, Queue};
use crate::store::engine::table;

/// A job as it is shown. The URL's host and path are looked up for each; its token never shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Which one.
    pub id: PullId,
    /// What is pulled.
    pub summary_type: SummaryType,
    /// When the ping came.
    pub received: UnixSeconds,
    /// When nothing is tried any more.
    pub deadline: UnixSeconds,
    /// How far it has come.
    pub state: State,
    /// Whom it is for.
    pub owners: Vec<OwnerId>,
    /// Host and path of the URL, where the ping can still be read.
    pub place: Option<String>,
}

impl Queue {
    /// The jobs of a filter, by id, so many at most.
    pub fn list(&self, filter: &Filter, count_max: usize) -> Result<Vec<Shown>, Error> {
        let jobs: Vec<Job> = self.table().list(filter).take(count_max).cloned().collect();
        jobs.into_iter()
            .map(|job| {
                let place = self.open(&job)?.map(|ask| place(&ask.url).to_owned());
                let owners = owners(&job);
                let Job { id, summary_type, received, deadline, state, .. } = job;
                Ok(Shown { id, summary_type, received, deadline, state, owners, place })
            })
            .collect()
    }

    /// Jobs by what is to happen with them.
    pub fn counts(&self) -> Counts {
        self.table().counts()
    }

    /// The nearest deadline of a job that waits.
    pub fn nearest_deadline(&self) -> Option<UnixSeconds> {
        self.table().nearest_deadline()
    }

    /// Whom a job is for, `None` where there is no such job.
    pub fn owners(&self, id: &PullId) -> Option<Vec<OwnerId>> {
        self.table().get(id).map(owners)
    }

    /// A person wants the job tried again, or given up; returns whom it is for, `None` where there is no such job.
    pub fn decide(&self, id: &PullId, event: Event, now: UnixSeconds) -> Result<Option<Vec<OwnerId>>, Error> {
        let found = self.table().get(id).map(|job| (job.pull(), owners(job)));
        let Some((pull, owners)) = found else { return Ok(None) };
        self.apply(&PullRef { id: *id, ..pull }, event, now, 0.0)?;
        Ok(Some(owners))
    }
}

/// A ping of a held connection, to be sent again.
pub struct HeldPing {
    /// When it came.
    pub received: UnixSeconds,
    /// What it is of.
    pub summary_type: SummaryType,
    /// The item as it came.
    pub item: String,
}

impl Queue {
    /// The pings of a held connection, in the order they came.
    pub fn held_pings(&self, owner: &OwnerId) -> Result<Vec<HeldPing>, Error> {
        let mut found = Vec::new();
        if let Some((keys, true)) = self.keys(owner) {
            self.scan(owner, table::PULL, &mut |name, sealed| {
                found.extend(Ping::open(owner, &name, &keys, true, sealed).map(|ping| HeldPing {
                    received: ping.received,
                    summary_type: ping.summary_type,
                    item: ping.ask.item,
                }));
            })?;
        }
        found.sort_by_key(|ping| ping.received);
        Ok(found)
    }
}

fn owners(job: &Job) -> Vec<OwnerId> {
    job.rows.iter().map(|(owner, _)| *owner).collect()
}

/// Host and path of a URL.
fn place(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // What stands before an `@` is a secret, too.
    rest.rsplit_once('@').map_or(rest, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_of_a_url_shows_neither_token_nor_password() {
        assert_eq!(place("https://apis.example/wellness-api/rest/mct?token=t"), "apis.example/wellness-api/rest/mct");
        assert_eq!(place("https://u:p@apis.example/a#token"), "apis.example/a");
        assert_eq!(place("?token=t"), "");
    }
}
