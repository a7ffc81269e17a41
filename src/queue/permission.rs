//! What the user permits, seen from the queue: nothing is asked for without it, and a refusal is noted.

use crate::model::id::OwnerId;
use crate::model::time::UnixSeconds;
use crate::queue::job::Job;
use crate::queue::{Ask, Queue};

impl Queue {
    /// Whether the user permits what the job asks for, for anybody whom it is for. What holds now decides, since the
    /// answer would come now.
    pub fn is_permitted(&self, job: &Job, ask: &Ask) -> bool {
        let people = &self.parts.people;
        let connection = people.digest(&ask.client, ask.user.expose());
        let directory = people.read();
        let permits = |owner: &OwnerId| {
            directory.permissions(owner, &connection).is_none_or(|known| known.permits_now(&job.summary_type))
        };
        job.rows.iter().any(|(owner, _)| permits(owner))
    }

    /// Garmin says that the user does not permit what the job asked for then. Durable on return where the store takes
    /// it; the job ends all the same where it does not.
    pub fn note_refused(&self, job: &Job, ask: &Ask, asked: UnixSeconds) {
        let people = &self.parts.people;
        let connection = people.digest(&ask.client, ask.user.expose());
        let owners: Vec<_> = job.rows.iter().map(|(owner, _)| *owner).collect();
        let mut turn = people.turn();
        turn.refused(&connection, &owners, &job.summary_type, asked);
        if let Err(error) = turn.commit() {
            tracing::warn!(%error, "that Garmin refused a summary type as not permitted could not be noted");
        }
    }
}
