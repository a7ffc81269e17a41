//! What every body on its way into the journal shares: the journal, the time, the limits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::ingest::refusal::Refusal;
use crate::journal::Journal;
use crate::telemetry::ingest::DoorMetrics;

/// The way into the journal.
pub(crate) struct Gate {
    pub journal: Journal,
    pub clock: Arc<dyn Clock>,
    pub metrics: DoorMetrics,
    /// The longest body, in bytes, as sent and decoded.
    pub bytes_max: u64,
    pub slots: Slots,
}

/// Room for large bodies; each holds a thread.
pub(crate) struct Slots {
    free: Arc<Semaphore>,
    when_full: WhenFull,
}

/// What becomes of a large body when as many as there may be are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// It is refused; its sender sends it again.
    Refuse,
    /// It waits; nobody sends it again.
    Wait,
}

impl Slots {
    /// So many at once.
    pub(crate) fn new(bodies_max: usize, when_full: WhenFull) -> Self {
        Self { free: Arc::new(Semaphore::new(bodies_max)), when_full }
    }

    /// A place for one large body, held until it is durable.
    pub(crate) async fn take(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let free = Arc::clone(&self.free);
        match self.when_full {
            WhenFull::Refuse => free.try_acquire_owned().map_err(|_| Refusal::Busy),
            WhenFull::Wait => free.acquire_owned().await.map_err(|_| Refusal::Stopping),
        }
    }
}
