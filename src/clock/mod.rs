//! The one place that reads the time.
//!
//! Never: waiting; deciding what a time means.

use std::time::{Duration, SystemTime};

use crate::model::time::UnixSeconds;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> UnixSeconds;

    /// A time for measuring how long something took; of the machine's clock, one that only goes forward.
    fn monotonic(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.now().0).unwrap_or(0))
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    fn now(&self) -> UnixSeconds {
        match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => UnixSeconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)),
            Err(_) => UnixSeconds(0),
        }
    }

    #[cfg(target_os = "linux")]
    fn monotonic(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanoseconds)
    }
}
