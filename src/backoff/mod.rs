//! How long to wait before something is tried again.
//!
//! Never: waiting; drawing random numbers. Both are the caller's.

use std::time::Duration;

/// What a server that names a time is held to: no sooner than this, and no later.
const ASKED_MIN: Duration = Duration::from_secs(1);
const ASKED_MAX: Duration = Duration::from_secs(3600);

/// Growing waits with full jitter: each is drawn evenly between nothing and a bound that doubles with every attempt,
/// so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The bound after the first attempt.
    pub base: Duration,
    /// The bound after many.
    pub cap: Duration,
}

impl Backoff {
    /// The wait after this many attempts; `random` is in [0, 1).
    pub fn wait(&self, attempts: u32, random: f64) -> Duration {
        let doubled = 2_u32.checked_pow(attempts.saturating_sub(1)).and_then(|factor| self.base.checked_mul(factor));
        let bound = doubled.map_or(self.cap, |doubled| doubled.min(self.cap));
        bound.mul_f64(random.clamp(0.0, 1.0))
    }

    /// The wait after this many attempts, where the server may have named one (`Retry-After`): then that one, within
    /// bounds of our own.
    pub fn wait_or_asked(&self, attempts: u32, random: f64, asked: Option<Duration>) -> Duration {
        asked.map_or_else(|| self.wait(attempts, random), |asked| asked.clamp(ASKED_MIN, ASKED_MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff { base: Duration::from_secs(5), cap: Duration::from_secs(600) };

    #[test]
    fn bound_doubles_up_to_the_cap() {
        #[track_caller]
        fn check(attempts: u32, random: f64, expected_s: u64) {
            assert_eq!(BACKOFF.wait(attempts, random), Duration::from_secs(expected_s));
        }
        check(0, 1.0, 5);
        check(1, 1.0, 5);
        check(2, 1.0, 10);
        check(4, 0.5, 20);
        check(7, 1.0, 320);
        check(8, 1.0, 600);
        check(u32::MAX, 1.0, 600);
        check(8, 0.0, 0);
    }

    #[test]
    fn wait_the_server_asks_for_wins_within_bounds() {
        #[track_caller]
        fn check(asked_s: u64, expected_s: u64) {
            let wait = BACKOFF.wait_or_asked(3, 0.5, Some(Duration::from_secs(asked_s)));
            assert_eq!(wait, Duration::from_secs(expected_s));
        }
        check(0, 1);
        check(90, 90);
        check(u64::MAX, 3600);
        assert_eq!(BACKOFF.wait_or_asked(3, 0.5, None), Duration::from_secs(10));
    }

    proptest! {
        #[test]
        fn wait_never_leaves_its_bounds(attempts: u32, random in 0.0_f64..1.0) {
            prop_assert!(BACKOFF.wait(attempts, random) <= BACKOFF.cap);
        }
    }
}
