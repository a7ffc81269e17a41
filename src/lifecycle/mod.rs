//! Whether the gateway is ready, and whether it is stopping: two latches that everybody may read; whether it is alive,
//! and what the service manager is told of it.
//!
//! Never: acting on them; that is each listener's and worker's own part.

pub mod supervisor;
pub mod watchdog;

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

/// Why the gateway is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The store has not been opened yet.
    Starting,
    /// A write or fsync failed; only a restart recovers.
    StoreFailed,
    /// The disk is under its reserve.
    DiskLow,
    /// The clock is before the highest time seen.
    Clock,
    /// The certificate is not valid at this time.
    Certificate,
    /// The gateway is stopping.
    Stopping,
}

impl Reason {
    /// Every reason, for metrics.
    pub const ALL: [Reason; 6] =
        [Self::Starting, Self::StoreFailed, Self::DiskLow, Self::Clock, Self::Certificate, Self::Stopping];

    /// Its name in `/readyz` and in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::StoreFailed => "store_failed",
            Self::DiskLow => "disk_low",
            Self::Clock => "clock",
            Self::Certificate => "certificate",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The reasons that hold now; ready where there is none.
#[derive(Debug, Default)]
pub struct Readiness(Mutex<BTreeSet<Reason>>);

impl Readiness {
    /// From now on this reason holds.
    pub fn lower(&self, reason: Reason) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(reason);
    }

    /// From now on it does not; [`Reason::StoreFailed`] and [`Reason::Stopping`] hold for good.
    pub fn raise(&self, reason: Reason) {
        if !matches!(reason, Reason::StoreFailed | Reason::Stopping) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&reason);
        }
    }

    /// The reasons that hold, in a fixed order.
    pub fn reasons(&self) -> Vec<Reason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Whether none holds.
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }
}

/// Tells everybody that the gateway stops.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// Waits for the stop.
#[derive(Clone, Debug)]
pub struct Stopped(watch::Receiver<bool>);

impl Stop {
    /// A pair of which the first tells the second.
    pub fn new() -> (Stop, Stopped) {
        let (sender, receiver) = watch::channel(false);
        (Stop(sender), Stopped(receiver))
    }

    /// The gateway stops; saying so again changes nothing.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stopped {
    /// Returns once the gateway stops.
    pub async fn wait(&mut self) {
        // An error means that the stopper is gone, which is a stop as well.
        if self.0.wait_for(|stopped| *stopped).await.is_err() {}
    }

    /// Whether the gateway is stopping.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_store_cannot_become_ready_again() {
        let readiness = Readiness::default();
        readiness.lower(Reason::DiskLow);
        readiness.lower(Reason::StoreFailed);
        readiness.raise(Reason::DiskLow);
        readiness.raise(Reason::StoreFailed);
        assert_eq!(readiness.reasons(), [Reason::StoreFailed]);
    }
}
