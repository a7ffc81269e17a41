//! The slot of a host that a request takes up.

use crate::model::pull::PullId;
use crate::model::time::UnixSeconds;
use crate::queue::Queue;
use crate::queue::job::Job;

/// The slot of a job's host; free again when dropped.
pub(super) struct Slot<'a> {
    queue: &'a Queue,
    id: Option<PullId>,
}

impl<'a> Slot<'a> {
    /// The slot that taking this job took up.
    pub(super) fn of(queue: &'a Queue, job: &Job) -> Self {
        Self { queue, id: Some(job.id) }
    }

    /// The request is over.
    pub(super) fn free(&mut self) {
        if let Some(id) = self.id.take() {
            self.queue.release(&id);
        }
    }

    /// The next job that is due, in the place of the one before.
    pub(super) fn pass_on(&mut self, now: UnixSeconds) -> Option<Job> {
        let next = self.queue.next(&self.id.take()?, now);
        self.id = next.as_ref().map(|job| job.id);
        next
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.free();
    }
}
