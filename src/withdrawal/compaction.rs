//! Compaction: deleted rows leave the database's files only when the live ones are written anew.
//!
//! After a purge a small database is rewritten at once; a large one waits for an hour in which little comes, and for at
//! most most of a day. What expires or is dropped goes the same way: now and then the files are compared with what lives
//! in them, and rewritten where they are far larger. All but the smallest are rewritten by a thread of their own, so
//! that filing and further purges need not wait.
//!
//! Never: a purge that is said to be gone from the files, whose rows were deleted after their rewriting began.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::model::time::UnixSeconds;
use crate::store::engine::{self, Compacted, Engine, GoOn};
use crate::withdrawal::event::What;
use crate::withdrawal::record::{Compaction, Purge, PurgeId, Stage};
use crate::withdrawal::{Event, Failure, Withdrawal};

/// A database up to this size is rewritten where that is asked for, in a moment.
const BRIEF_BYTES: u64 = 4 << 20;
/// Up to this size it is rewritten at once after a purge, and whether others wait or not.
const SMALL_BYTES: u64 = 256 << 20;
/// A larger one when nothing waits to be filed, but not before this time, in seconds.
const QUIET_AFTER: i64 = 3600;
/// And at the latest after this.
const AT_THE_LATEST: i64 = 20 * 3600;
/// After a failure it is tried again then, in seconds.
const AGAIN_AFTER: i64 = 300;
/// How often the files of a small database are compared with what lives in them, in seconds.
const LOOK_EVERY: i64 = 3600;
/// The same of a large one, all of whose rows are read for it.
const LOOK_EVERY_LARGE: i64 = 24 * 3600;
/// Files up to this size are never far too large.
const FILES_LEAST_BYTES: u64 = 16 << 20;
/// A disk with less free space takes no row that says so.
const ROW_ROOM_BYTES: u64 = 4 << 20;

/// What is known of a database when it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Bytes of its files.
    pub bytes: u64,
    /// Seconds since the oldest purge whose rows may stand in them, where there is one.
    pub since_purge: Option<i64>,
    /// Seconds since they were last compared with what lives in them.
    pub since_look: i64,
    /// Whether nothing waits to be filed.
    pub quiet: bool,
}

/// Why a database is rewritten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Rows of a purge may stand in its files.
    Purge,
    /// Its files may be far larger than what lives in them: they are compared first.
    Waste,
}

/// What came of a compaction, or of the look at whether one is needed.
#[derive(Debug)]
pub struct Done {
    /// Of whose rows nothing is left.
    pub events: Vec<Event>,
    /// The outcome's name.
    pub result: &'static str,
    /// How long it took.
    pub took: Duration,
}

/// The compaction that runs, and when the next one may.
pub(super) struct Compactor {
    /// Whether a purge's deleted rows still stand in the files of the database.
    wanted: AtomicBool,
    times: Mutex<Times>,
    running: Mutex<Option<Running>>,
    stopping: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
struct Times {
    not_before: UnixSeconds,
    looked: UnixSeconds,
}

struct Running {
    /// Purges whose rows had been deleted when it began.
    purges: Vec<PurgeId>,
    began: Duration,
    thread: JoinHandle<Outcome>,
}

/// `None` where the files were not far larger than what lives in them.
type Outcome = Result<Option<Compacted>, engine::Error>;

/// Whether a database is to be rewritten now, and why.
pub fn decide(found: &Found) -> Option<Reason> {
    let small = found.bytes <= SMALL_BYTES;
    if found.since_purge.is_some_and(|waited| is_due(found.bytes, waited, found.quiet)) {
        return Some(Reason::Purge);
    }
    let every = if small { LOOK_EVERY } else { LOOK_EVERY_LARGE };
    let look = found.bytes > FILES_LEAST_BYTES && found.since_look >= every && found.quiet;
    look.then_some(Reason::Waste)
}

/// Whether a database of this size is rewritten, so long after the purge.
pub fn is_due(bytes: u64, waited: i64, quiet: bool) -> bool {
    bytes <= SMALL_BYTES || waited >= AT_THE_LATEST || (quiet && waited >= QUIET_AFTER)
}

/// Whether files of so many bytes are worth rewriting, where so many live in them. Written anew they take about twice
/// that.
pub fn is_far_larger(bytes: u64, live: u64) -> bool {
    bytes > FILES_LEAST_BYTES && bytes / 4 > live
}

impl Compactor {
    /// Nothing runs; `wanted` tells that a purge's rows may still stand in the files.
    pub(super) fn new(wanted: bool, now: UnixSeconds) -> Self {
        Self {
            wanted: AtomicBool::new(wanted),
            times: Mutex::new(Times { not_before: UnixSeconds(0), looked: now }),
            running: Mutex::default(),
            stopping: Arc::default(),
        }
    }

    /// A purge has deleted rows: they are to leave the files of the database.
    pub(super) fn want(&self) {
        self.times().not_before = UnixSeconds(0);
        self.wanted.store(true, Ordering::Release);
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Compactor {
    /// What runs is told to end: what it did so far counts for nothing, and is removed.
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(running) = self.running().take()
            && running.thread.join().is_err()
        {
            tracing::error!("a compaction panicked; please report it");
        }
    }
}

impl Withdrawal {
    /// Rewrites the database where it is time, or tells how the rewriting that was begun before has ended.
    pub fn compact_if_due(&self) -> Result<Option<Done>, Failure> {
        let compactor = &self.compactor;
        let mut running = compactor.running();
        match running.take() {
            Some(found) if !found.thread.is_finished() => {
                *running = Some(found);
                return Ok(None);
            }
            Some(Running { purges, began, thread }) => {
                let outcome = thread.join().unwrap_or(Err(engine::Error::Poisoned));
                return self.ended(&purges, began, outcome).map(Some);
            }
            None => {}
        }
        let Some((reason, purges)) = self.compaction_due() else { return Ok(None) };
        let engine = Arc::clone(&self.parts.engine);
        let (room, began) = (self.parts.space.available(), self.parts.clock.monotonic());
        if engine.bytes() <= BRIEF_BYTES {
            let outcome = rewrite(&*engine, reason, room, &|| true);
            return self.ended(&purges, began, outcome).map(Some);
        }
        let stopping = Arc::clone(&compactor.stopping);
        let go_on = move || !stopping.load(Ordering::Acquire);
        let rewriting = move || rewrite(&*engine, reason, room, &go_on);
        match thread::Builder::new().name("compaction".to_owned()).spawn(rewriting) {
            Ok(thread) => *running = Some(Running { purges, began, thread }),
            Err(error) => tracing::error!(%error, "the database is not compacted: no thread starts; it is tried again"),
        }
        Ok(None)
    }

    /// Why the database is to be rewritten now, and the purges whose rows are gone from its files then.
    fn compaction_due(&self) -> Option<(Reason, Vec<PurgeId>)> {
        let (compactor, now) = (&self.compactor, self.now());
        let times = *compactor.times();
        let wanted = compactor.wanted.load(Ordering::Acquire);
        let since_look = now.0.saturating_sub(times.looked.0);
        if now < times.not_before || (!wanted && since_look < LOOK_EVERY) {
            return None;
        }
        let purges = if wanted { self.log.all(needs_compaction) } else { Vec::new() };
        let oldest = purges.iter().filter_map(|purge| purge.times.erased).min();
        compactor.wanted.store(oldest.is_some(), Ordering::Release);
        let found = Found {
            bytes: self.parts.engine.bytes(),
            since_purge: oldest.map(|oldest| now.0.saturating_sub(oldest.0)),
            since_look,
            quiet: self.parts.journal.backlog().0 == 0,
        };
        let reason = decide(&found)?;
        *compactor.times() = Times { not_before: now.plus(AGAIN_AFTER), looked: now };
        Some((reason, purges.iter().map(|purge| purge.id).collect()))
    }

    fn ended(&self, purges: &[PurgeId], began: Duration, outcome: Outcome) -> Result<Done, Failure> {
        let took = self.parts.clock.monotonic().saturating_sub(began);
        let mut events = Vec::new();
        let result = match outcome {
            Ok(Some(Compacted::Done)) => {
                events = self.compacted(purges, took)?;
                "done"
            }
            Ok(Some(Compacted::InUse)) => "in_use",
            Ok(Some(Compacted::Stopped)) => "stopped",
            Ok(Some(Compacted::NoRoom)) => {
                self.waits_for_space(purges)?;
                "no_room"
            }
            Ok(None) => "not_needed",
            Err(engine::Error::Poisoned) => return Err(Failure::Engine(engine::Error::Poisoned)),
            Err(error) => {
                tracing::error!(%error, "the database could not be compacted; it is tried again");
                "failed"
            }
        };
        Ok(Done { events, result, took })
    }

    fn compacted(&self, ids: &[PurgeId], took: Duration) -> Result<Vec<Event>, Failure> {
        let now = self.now();
        // A turn, so that no step of a purge is written between reading and writing.
        let _turn = self.parts.people.turn();
        let mut purges: Vec<_> = ids.iter().filter_map(|id| self.log.find(id)).collect();
        for purge in &mut purges {
            (purge.compaction, purge.times.compacted) = (Compaction::Done, Some(now));
        }
        self.log.write(&purges)?;
        self.compactor.wanted.store(!self.log.all(needs_compaction).is_empty(), Ordering::Release);
        let (bytes, seconds) = (self.parts.engine.bytes(), took.as_secs_f64());
        tracing::info!(purges = purges.len(), bytes, seconds, "the database was compacted");
        Ok(purges.iter().map(|purge| Event::of(purge, What::Compacted, now)).collect())
    }

    /// Where the disk takes not even that, it is said in memory alone, and found out again after a restart.
    fn waits_for_space(&self, ids: &[PurgeId]) -> Result<(), Failure> {
        let _turn = self.parts.people.turn();
        let mut purges: Vec<_> = ids.iter().filter_map(|id| self.log.find(id)).collect();
        purges.retain(|purge| purge.compaction == Compaction::Pending);
        if purges.is_empty() {
            return Ok(());
        }
        purges.iter_mut().for_each(|purge| purge.compaction = Compaction::WaitsForSpace);
        tracing::warn!("the disk has no room to compact the database after a purge; free space on it");
        if self.parts.space.available() < ROW_ROOM_BYTES {
            self.log.keep(&purges);
        } else {
            self.log.write(&purges)?;
        }
        Ok(())
    }
}

fn rewrite(engine: &dyn Engine, reason: Reason, room: u64, go_on: GoOn<'_>) -> Outcome {
    if reason == Reason::Waste && !is_far_larger(engine.bytes(), engine.live_bytes()?) {
        return Ok(None);
    }
    engine.compact(room, go_on).map(Some)
}

/// Whether rows that the purge deleted may still stand in the database's files.
pub(super) fn needs_compaction(purge: &Purge) -> bool {
    purge.stage == Stage::Erased && purge.compaction != Compaction::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_database_is_rewritten_at_once_and_a_large_one_within_a_day() {
        let large = SMALL_BYTES + 1;
        let cases = [
            (0, 0, false, true),
            (SMALL_BYTES, 0, false, true),
            (large, 0, true, false),
            (large, QUIET_AFTER, true, true),
            (large, QUIET_AFTER, false, false),
            (large, AT_THE_LATEST - 1, false, false),
            (large, AT_THE_LATEST, false, true),
        ];
        for (bytes, waited, quiet, expected) in cases {
            assert_eq!(is_due(bytes, waited, quiet), expected, "{bytes} {waited} {quiet}");
        }
    }

    #[test]
    fn files_are_compared_with_what_lives_in_them_now_and_then_in_a_quiet_moment() {
        let (middle, large) = (FILES_LEAST_BYTES + 1, SMALL_BYTES + 1);
        let (purge, waste) = (Some(Reason::Purge), Some(Reason::Waste));
        let cases = [
            (FILES_LEAST_BYTES, None, LOOK_EVERY_LARGE, true, None),
            (middle, None, LOOK_EVERY - 1, true, None),
            (middle, None, LOOK_EVERY, true, waste),
            (middle, None, LOOK_EVERY, false, None),
            (large, None, LOOK_EVERY, true, None),
            (large, None, LOOK_EVERY_LARGE, true, waste),
            (middle, Some(0), 0, false, purge),
            (large, Some(0), LOOK_EVERY_LARGE, true, waste),
        ];
        for (bytes, since_purge, since_look, quiet, expected) in cases {
            let found = Found { bytes, since_purge, since_look, quiet };
            assert_eq!(decide(&found), expected, "{found:?}");
        }
    }

    #[test]
    fn files_are_far_larger_past_four_times_what_lives() {
        let cases = [
            (FILES_LEAST_BYTES, 0, false),
            (FILES_LEAST_BYTES + 4, 0, true),
            (400 << 20, 100 << 20, false),
            (404 << 20, 100 << 20, true),
        ];
        for (bytes, live, expected) in cases {
            assert_eq!(is_far_larger(bytes, live), expected, "{bytes} {live}");
        }
    }
}
