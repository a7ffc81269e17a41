//! The one place that reads the time.
//!
//! Never: deciding what a time means; waiting, but for the few seconds that [`Clock::look`] may take.

#[cfg(target_os = "linux")]
pub mod kept;

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

    /// What the system last said of this clock; told at once.
    fn synchronised(&self) -> Synchronised {
        Synchronised::Unknown
    }

    /// Asks the system anew; may take a few seconds.
    fn look(&self) {}
}

/// Whether something keeps a clock right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Synchronised {
    /// The system says so.
    Yes,
    /// The system says that nothing does, or was not asked yet.
    No,
    /// There is nobody to ask.
    Unknown,
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
