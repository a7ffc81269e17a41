//! Compactions that take a while: what goes on meanwhile, and what they are begun for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::leaving::daily;
use super::{Site, leaves};
use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn};
use crate::withdrawal::record::{Compaction, Purge, Stage};

/// Longer than a step takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine of any size, whose compactions end when they are told to.
struct Slow {
    engine: Arc<dyn Engine>,
    bytes: AtomicU64,
    told: Mutex<Receiver<()>>,
}

impl Slow {
    /// The site is started on such an engine of so many bytes; a compaction ends with each message.
    fn start(site: &mut Site, bytes: u64) -> (Arc<Self>, Sender<()>) {
        let (tell, told) = channel();
        let engine = Arc::clone(&site.memory) as _;
        let slow = Arc::new(Self { engine, bytes: bytes.into(), told: Mutex::new(told) });
        site.start_on(Arc::clone(&slow) as _).expect("started");
        (slow, tell)
    }
}

impl Engine for Slow {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.engine.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.engine.scan(prefix, each)
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.engine.scan_from(first, each)
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.engine.commit(batch)
    }

    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    fn live_bytes(&self) -> Result<u64, Error> {
        self.engine.live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        while go_on() {
            match told.recv_timeout(Duration::from_millis(5)) {
                Ok(()) => return self.engine.compact(room, go_on),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        Ok(Compacted::Stopped)
    }
}

fn purge_of(site: &Site, code: &str) -> Purge {
    site.at().withdrawal.purge_of("S", code).expect("a purge")
}

/// Files until it is so.
#[track_caller]
fn file_until(site: &mut Site, is_so: impl Fn(&Site) -> bool) {
    let began = Instant::now();
    while !is_so(site) {
        assert!(began.elapsed() < PATIENCE, "it does not come to that");
        site.round();
    }
}

fn ended(site: &Site, result: &str) -> u64 {
    site.at().metrics.compactions.with_label_values(&[result]).get()
}

#[test]
fn filing_and_purges_go_on_while_the_database_is_rewritten() {
    let mut site = Site::with(&["u1", "u2", "u3"]);
    let (_engine, tell) = Slow::start(&mut site, 100 << 20);
    ["u1", "u2", "u3"].iter().for_each(|user| site.receive(&daily(user, 1)));
    site.receive(&leaves("u1"));
    let first = purge_of(&site, "P1");
    assert_eq!((first.stage, first.compaction), (Stage::Erased, Compaction::Pending));
    site.receive(&daily("u3", 2));
    site.receive(&leaves("u2"));
    assert_eq!(purge_of(&site, "P2").stage, Stage::Erased, "it does not wait for the rewriting of the first");
    assert_eq!(site.records("S", "P3").len(), 2);
    tell.send(()).expect("somebody listens");
    file_until(&mut site, |site| purge_of(site, "P1").compaction == Compaction::Done);
    let second = purge_of(&site, "P2");
    assert_eq!(second.compaction, Compaction::Pending, "its rows were deleted after that rewriting began");
    tell.send(()).expect("somebody listens");
    file_until(&mut site, |site| purge_of(site, "P2").compaction == Compaction::Done);
    assert_eq!(ended(&site, "done"), 2);
}

#[test]
fn rewriting_that_a_stop_cuts_short_is_done_after_the_next_start() {
    let mut site = Site::with(&["u1"]);
    let (engine, tell) = Slow::start(&mut site, 100 << 20);
    site.receive(&daily("u1", 1));
    site.receive(&leaves("u1"));
    site.kill();
    assert_eq!(Arc::strong_count(&engine), 1, "nothing runs on behind a stop");
    drop(tell);
    let (_engine, tell) = Slow::start(&mut site, 100 << 20);
    assert_eq!(purge_of(&site, "P1").compaction, Compaction::Pending);
    tell.send(()).expect("somebody listens");
    file_until(&mut site, |site| purge_of(site, "P1").compaction == Compaction::Done);
}

#[test]
fn files_that_are_far_larger_than_what_lives_are_rewritten_without_a_purge() {
    let mut site = Site::with(&["u1"]);
    let (engine, tell) = Slow::start(&mut site, 100 << 20);
    site.receive(&daily("u1", 1));
    tell.send(()).expect("somebody listens");
    site.wait(3599);
    site.round();
    assert_eq!((ended(&site, "done"), ended(&site, "not_needed")), (0, 0), "it was looked at not long ago");
    site.wait(1);
    file_until(&mut site, |site| ended(site, "done") == 1);
    let live = engine.live_bytes().expect("read");
    let mut rows = Batch::default();
    rows.put(b"much".to_vec(), vec![0; 30 << 20]);
    engine.commit(rows).expect("committed");
    assert!(live < 1 << 20, "{live}");
    site.wait(3600);
    file_until(&mut site, |site| ended(site, "not_needed") == 1);
    assert_eq!(ended(&site, "done"), 1);
}

#[test]
fn bodies_that_came_before_somebody_left_are_counted_until_they_are_filed() {
    let mut site = Site::with(&["u1", "u2"]);
    let (owner, other) = (site.id("S", "P1"), site.id("S", "P2"));
    (1..=3).for_each(|number| site.push(&daily("u1", number)));
    assert_eq!(site.at().withdrawal.bodies_pending(&owner), 0, "nobody leaves");
    site.push(&leaves("u1"));
    site.push(&daily("u2", 1));
    assert_eq!(site.at().withdrawal.bodies_pending(&owner), 4, "its own body with them, and no later one");
    assert_eq!(site.at().withdrawal.bodies_pending(&other), 0);
    site.file();
    assert_eq!(site.at().withdrawal.bodies_pending(&owner), 0);
}

/// What comes later is filed later: the purge need not wait for it.
#[test]
fn purge_is_carried_out_before_what_came_behind_the_notice_is_filed() {
    let mut site = Site::with(&["u1", "u2"]);
    site.push(&daily("u1", 1));
    site.push(&leaves("u1"));
    (1..=3).for_each(|number| site.push(&daily("u2", number)));
    site.round();
    assert_eq!(purge_of(&site, "P1").stage, Stage::Erased);
    assert_eq!(site.records("S", "P2").len(), 0, "it waits for its turn");
    site.file();
    assert_eq!(site.records("S", "P2").len(), 3);
}

/// Bodies may go on coming for as long as anybody likes: the moment that shows a flood is not made longer by them.
#[test]
fn purge_begins_when_its_moment_is_over_though_bodies_come_one_behind_the_other() {
    let mut site = Site::with(&["u1", "u2"]);
    // The clock goes on by a second with each look.
    site.settle_for = Duration::from_secs(4);
    site.restart();
    site.push(&leaves("u1"));
    (1..=20).for_each(|number| site.push(&daily("u2", number)));
    assert_eq!(purge_of(&site, "P1").stage, Stage::Waiting);
    let owner = purge_of(&site, "P1").owner;
    assert_eq!(site.at().withdrawal.bodies_pending(&owner), 21, "any of them may have come before the purge begins");
    site.round();
    assert_eq!(purge_of(&site, "P1").stage, Stage::Tombstoned);
    assert!(site.records("S", "P2").len() < 10, "{}", site.records("S", "P2").len());
    site.file();
    assert_eq!(purge_of(&site, "P1").stage, Stage::Erased);
    assert_eq!(site.records("S", "P2").len(), 20);
}
