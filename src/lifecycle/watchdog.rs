//! Whether the process is alive: its essential parts make progress, whatever they have to do and whether they can.
//!
//! Alive is not ready: a full disk, a clock that is wrong or an expired certificate are no reason to be restarted, since
//! a restart mends none of them.
//!
//! Never: looking at anything but progress; deciding what follows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A count that a part raises whenever it has done something; clones are the same count.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The part has come round once more.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often it has.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a part has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It has nothing to do.
    Idle,
    /// It has something to do, and has come so far: another number than before is progress.
    At(u64),
}

/// An essential part of the process.
pub struct Part {
    /// Its name, for the log.
    pub name: &'static str,
    /// It may be without progress for so long: longer than its slowest step takes on the slowest machine.
    pub patience: Duration,
    /// How far it has come.
    pub progress: Box<dyn Fn() -> Progress + Send>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("name", &self.name).field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Sees whether every part makes progress.
#[derive(Debug, Default)]
pub struct Watchdog {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    part: Part,
    /// What was seen last, and when that was seen first.
    seen: Option<(Progress, Duration)>,
}

impl Watchdog {
    /// From now on this part is watched, too.
    pub fn watch(&mut self, part: Part) {
        self.watched.push(Watched { part, seen: None });
    }

    /// The first part without progress for longer than it may be, as of this monotonic time.
    pub fn stalled(&mut self, now: Duration) -> Option<&'static str> {
        let mut stalled = None;
        for Watched { part, seen } in &mut self.watched {
            let progress = (part.progress)();
            let since = match *seen {
                Some((before, since)) if before == progress && progress != Progress::Idle => since,
                Some(_) | None => now,
            };
            *seen = Some((progress, since));
            if now.saturating_sub(since) > part.patience {
                stalled = stalled.or(Some(part.name));
            }
        }
        stalled
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A part that may stand for 10 s, its progress in the caller's hands.
    fn part(name: &'static str) -> (Part, Arc<Mutex<Progress>>) {
        let progress = Arc::new(Mutex::new(Progress::At(0)));
        let seen = Arc::clone(&progress);
        let progress_of = Box::new(move || *seen.lock().expect("not poisoned"));
        (Part { name, patience: Duration::from_secs(10), progress: progress_of }, progress)
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn part_without_progress_for_longer_than_it_may_be_is_stalled_until_it_goes_on() {
        let (mut watchdog, (one, progress)) = (Watchdog::default(), part("one"));
        watchdog.watch(one);
        assert_eq!(watchdog.stalled(at(100)), None);
        assert_eq!(watchdog.stalled(at(110)), None);
        assert_eq!(watchdog.stalled(at(111)), Some("one"));
        *progress.lock().expect("not poisoned") = Progress::At(1);
        assert_eq!(watchdog.stalled(at(112)), None);
        assert_eq!(watchdog.stalled(at(122)), None);
        assert_eq!(watchdog.stalled(at(123)), Some("one"));
    }

    #[test]
    fn part_with_nothing_to_do_is_never_stalled() {
        let (mut watchdog, (one, progress)) = (Watchdog::default(), part("one"));
        watchdog.watch(one);
        *progress.lock().expect("not poisoned") = Progress::Idle;
        for seconds in [0, 20, 4000] {
            assert_eq!(watchdog.stalled(at(seconds)), None);
        }
        *progress.lock().expect("not poisoned") = Progress::At(0);
        assert_eq!(watchdog.stalled(at(4001)), None, "the time before there was anything to do does not count");
        assert_eq!(watchdog.stalled(at(4012)), Some("one"));
    }

    #[test]
    fn progress_of_one_part_does_not_hide_that_another_stands_still() {
        let (mut watchdog, (one, progress), (two, _)) = (Watchdog::default(), part("one"), part("two"));
        watchdog.watch(one);
        watchdog.watch(two);
        for seconds in 0..=10 {
            *progress.lock().expect("not poisoned") = Progress::At(seconds);
            assert_eq!(watchdog.stalled(at(seconds)), None);
        }
        *progress.lock().expect("not poisoned") = Progress::At(11);
        assert_eq!(watchdog.stalled(at(11)), Some("two"));
    }
}
