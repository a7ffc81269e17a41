//! What the journal's sides share: the queue of bodies to be written, and the account of what is durable.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use ring::rand::SecureRandom;
use tokio::sync::oneshot;

use crate::crypto::{
    key::Key,
    keyring::{JournalGeneration, Keyring},
};
use crate::disk::{Reservation, Space};
use crate::journal::{
    Error, Header, Limits, Position,
    frame::{FileId, Kind},
    layer::Layer,
    room::Room,
    segment::FIRST_FRAME,
};
use crate::model::entry::Entry;

/// Bodies that may wait are written once so many wait.
const PATIENT_BODIES: usize = 128;

pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) space: Arc<Space>,
    pub(crate) rng: Arc<dyn SecureRandom + Send + Sync>,
    pub(crate) layer: Arc<dyn Layer>,
    failed: OnceLock<Arc<io::Error>>,
    closed: AtomicBool,
    fsyncs: AtomicU64,
    /// Groups that the writer has taken.
    groups: AtomicU64,
    queue: Mutex<Queue>,
    queued: Condvar,
    account: Mutex<Account>,
    arrived: Condvar,
    pub(crate) room: Room,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Request>,
    /// So many of them have somebody outside who waits for an answer.
    urgent: usize,
    /// So many are to wait before the writer is woken.
    wanted: usize,
    stopping: bool,
}

/// A sealed body that waits for its place.
pub(crate) struct Request {
    pub(crate) body_key: Key,
    pub(crate) kind: Kind,
    /// Sealed.
    pub(crate) content: Vec<u8>,
    /// Bytes of the body's own file.
    pub(crate) file_bytes: u64,
    pub(crate) handover: Handover,
    /// Given back once the body is written.
    pub(crate) reservation: Reservation,
    pub(crate) haste: Haste,
    pub(crate) answer: oneshot::Sender<Result<Position, Error>>,
}

/// Whether a body may wait for others to come with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Somebody waits for its 200.
    Urgent,
    /// Nobody outside waits: it may spare the disk an fsync of its own.
    Patient,
}

impl Haste {
    /// A notification is answered once it is durable; an answer to a ping was asked for by the gateway itself.
    pub(crate) fn of(header: &Header) -> Self {
        if header.pull.is_some() { Self::Patient } else { Self::Urgent }
    }
}

/// What the reader gets without reading it back.
pub(crate) enum Handover {
    Inline { header: Header, bytes: Vec<u8>, entries: Vec<Entry> },
    Reference { header: Header, file: FileId, key: Key },
}

impl Handover {
    /// About how much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Self::Inline { bytes, entries, .. } => {
                bytes.capacity() + entries.iter().map(|entry| 128 + entry.fields.len() * 64).sum::<usize>()
            }
            Self::Reference { .. } => 128,
        }
    }
}

/// A durable body, kept for the reader.
pub(crate) struct Handed {
    pub(crate) place: Place,
    pub(crate) handover: Handover,
}

/// Where a durable body stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) generation: JournalGeneration,
    pub(crate) segment: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// With its own file, if it has one.
    pub(crate) disk_bytes: u64,
}

/// A segment with durable frames.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    /// Where the last durable frame ends.
    pub(crate) end: u64,
    /// The newest body in it.
    pub(crate) last: u64,
}

/// What is durable and not filed yet.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) newest: u64,
    /// Bodies up to here are filed.
    pub(crate) filed: u64,
    /// Oldest first.
    pub(crate) segments: VecDeque<Segment>,
    /// The segment that is written to; the reader takes it away to unlink it.
    pub(crate) active: Option<u64>,
    /// A group is being written.
    pub(crate) writing: bool,
    pub(crate) handed: VecDeque<Handed>,
    pub(crate) handed_bytes: usize,
    /// Bodies by generation, with those that are being written.
    pub(crate) generations: BTreeMap<JournalGeneration, u64>,
    pub(crate) bodies: u64,
    pub(crate) bytes: u64,
}

impl Account {
    /// Where the reader goes on from `(segment, offset)`: the same place, or the beginning of the next segment.
    pub(crate) fn resume(&self, segment: u64, offset: u64) -> Option<(Segment, u64)> {
        let ahead = |found: &&Segment| found.number > segment || (found.number == segment && offset < found.end);
        let found = self.segments.iter().find(ahead)?;
        Some((*found, if found.number == segment { offset } else { FIRST_FRAME }))
    }

    pub(crate) fn count_generation(&mut self, generation: JournalGeneration, bodies: u64) {
        *self.generations.entry(generation).or_default() += bodies;
    }

    pub(crate) fn discount_generation(&mut self, generation: JournalGeneration, bodies: u64) {
        if let Some(count) = self.generations.get_mut(&generation) {
            *count = count.saturating_sub(bodies);
            if *count == 0 {
                self.generations.remove(&generation);
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(
        dir: &Path,
        limits: Limits,
        keyring: Arc<Keyring>,
        space: Arc<Space>,
        rng: Arc<dyn SecureRandom + Send + Sync>,
        layer: Arc<dyn Layer>,
    ) -> Self {
        Self {
            dir: dir.to_owned(),
            limits,
            keyring,
            space,
            rng,
            layer,
            failed: OnceLock::new(),
            closed: AtomicBool::new(false),
            fsyncs: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            queue: Mutex::default(),
            queued: Condvar::new(),
            account: Mutex::default(),
            arrived: Condvar::new(),
            room: Room::default(),
        }
    }

    /// Whether a body may begin.
    pub(crate) fn admit(&self) -> Result<(), Error> {
        self.healthy()?;
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    /// Waits while too many bodies are unfiled.
    pub(crate) async fn wait_for_room(&self) {
        self.room.wait(|| self.account().bodies < self.limits.backlog_bodies_max).await;
    }

    /// Fails once anything has failed.
    pub(crate) fn healthy(&self) -> Result<(), Error> {
        self.failed.get().map_or(Ok(()), |cause| Err(Error::Failed(cause.clone())))
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// From here on everything fails; the first cause is kept.
    pub(crate) fn poison(&self, cause: io::Error) -> Error {
        let cause = self.failed.get_or_init(|| Arc::new(cause)).clone();
        self.arrived.notify_all();
        Error::Failed(cause)
    }

    pub(crate) fn enqueue(&self, request: Request) {
        let mut queue = self.queue();
        let is_urgent = request.haste == Haste::Urgent;
        queue.urgent += usize::from(is_urgent);
        queue.waiting.push_back(request);
        let is_enough = queue.waiting.len() >= queue.wanted || (is_urgent && queue.urgent == 1);
        drop(queue);
        if is_enough {
            self.queued.notify_one();
        }
    }

    /// What waits, up to so many bytes of content, at least one; nothing once the journal stops and nothing waits.
    /// Where something waits, gives it `patience` to become as many as are `expected`.
    pub(crate) fn next_group(&self, bytes_max: usize, expected: usize, patience: Duration) -> Vec<Request> {
        let mut queue = self.gathered(self.queue(), 1, Duration::MAX, |_| false);
        queue = self.gathered(queue, PATIENT_BODIES, self.limits.patience, |queue| queue.urgent > 0);
        if queue.urgent > 0 {
            queue = self.gathered(queue, expected, patience, |_| false);
        }
        let mut bytes = 0;
        let fits = |request: &Request| {
            bytes += request.content.len();
            bytes <= bytes_max
        };
        let count = queue.waiting.iter().map(fits).take_while(|fits| *fits).count().max(1);
        let count = count.min(queue.waiting.len());
        let group: Vec<_> = queue.waiting.drain(..count).collect();
        self.groups.fetch_add(1, Ordering::Relaxed);
        queue.urgent -= group.iter().filter(|request| request.haste == Haste::Urgent).count();
        group
    }

    /// Waits until so many wait, the patience is over, or `enough` says so.
    fn gathered<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        wanted: usize,
        patience: Duration,
        enough: impl Fn(&Queue) -> bool,
    ) -> MutexGuard<'a, Queue> {
        queue.wanted = wanted;
        let is_short = |queue: &mut Queue| queue.waiting.len() < wanted && !queue.stopping && !enough(queue);
        self.queued.wait_timeout_while(queue, patience, is_short).unwrap_or_else(PoisonError::into_inner).0
    }

    pub(crate) fn stop(&self) {
        self.queue().stopping = true;
        self.queued.notify_all();
    }

    pub(crate) fn sync_data(&self, file: &File) -> io::Result<()> {
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
        self.layer.sync_data(file)
    }

    pub(crate) fn sync_dir(&self) -> io::Result<()> {
        self.fsyncs.fetch_add(1, Ordering::Relaxed);
        self.layer.sync_dir(&File::open(&self.dir)?)
    }

    pub(crate) fn fsyncs(&self) -> u64 {
        self.fsyncs.load(Ordering::Relaxed)
    }

    pub(crate) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn announce(&self) {
        self.arrived.notify_all();
    }

    /// Waits for an announcement, no longer than `patience`.
    pub(crate) fn wait<'a>(&self, account: MutexGuard<'a, Account>, patience: Duration) -> MutexGuard<'a, Account> {
        self.arrived.wait_timeout(account, patience).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The number of the last group that was taken, while bodies wait or are written.
    pub(crate) fn under_way(&self) -> Option<u64> {
        let has_work = self.waiting() > 0 || self.account().writing;
        has_work.then(|| self.groups.load(Ordering::Relaxed))
    }

    /// How many bodies wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.queue().waiting.len()
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
