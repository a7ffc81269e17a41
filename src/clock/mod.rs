//! The one place that reads the time.
//!
//! Never: waiting; deciding what a time means.

use std::time::SystemTime;

use crate::model::time::UnixSeconds;

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// The time of day.
    fn now(&self) -> UnixSeconds;
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
}
