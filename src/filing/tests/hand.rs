//! A clock in a test's hand.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Synchronised};
use crate::model::time::UnixSeconds;

/// A clock that a test sets; time for measuring jumps ahead, so that nothing waits for more.
pub(super) struct Hand {
    pub(super) now: AtomicI64,
    looked: AtomicU64,
    /// Nothing keeps it right.
    pub(super) adrift: AtomicBool,
}

impl Hand {
    /// A clock that shows this.
    pub(super) fn at(now: i64) -> Self {
        Self { now: AtomicI64::new(now), looked: AtomicU64::new(0), adrift: AtomicBool::new(false) }
    }
}

impl Clock for Hand {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now.load(Ordering::Acquire))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.looked.fetch_add(1, Ordering::AcqRel))
    }

    fn synchronised(&self) -> Synchronised {
        if self.adrift.load(Ordering::Acquire) { Synchronised::No } else { Synchronised::Unknown }
    }
}
