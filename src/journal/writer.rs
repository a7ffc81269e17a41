//! The writing thread: takes what waits, writes it at once, fsyncs once, answers all.
//!
//! Never: an answer before the fsync; a second try after a failed one.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::crypto::{key::Key, keyring::JournalGeneration};
use crate::journal::{
    Error, Position,
    frame::Head,
    segment::{self, FIRST_FRAME, OPENING},
    shared::{Handed, Place, Request, Segment, Shared},
};

/// A group is closed past this size, so that its waiters are not kept by ever more of them.
const GROUP_BYTES_MAX: usize = 4 << 20;
/// Space is allocated in such steps: an fsync that changes no length is cheaper.
const ALLOCATION_BYTES: u64 = 2 << 20;

/// A group waits no longer than this, and no longer than half an fsync, for those who were answered last to come back.
/// Without it two halves of the clients take turns, and each fsync serves one half.
const GATHERING_MAX: Duration = Duration::from_millis(1);

/// The segment that is written to.
struct Active {
    file: File,
    number: u64,
    offset: u64,
    allocated: u64,
    /// Its name is not fsynced yet.
    unnamed: bool,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    active: Option<Active>,
    next_segment: u64,
    buffer: Vec<u8>,
    /// How many bodies waited when the last group was answered, with that group.
    expected: usize,
    last_sync: Duration,
}

/// Why a group was not written.
enum Refusal {
    /// Nothing was written: the disk has no room.
    Full,
    Failed(io::Error),
}

impl Writer {
    /// The thread that writes; it ends when the journal is stopped and nothing waits.
    pub(crate) fn start(shared: Arc<Shared>, next_segment: u64) -> io::Result<thread::JoinHandle<()>> {
        let (buffer, last_sync) = (Vec::new(), Duration::ZERO);
        let mut writer = Writer { shared, active: None, next_segment, buffer, expected: 0, last_sync };
        thread::Builder::new().name("journal".into()).spawn(move || writer.run())
    }

    fn run(&mut self) {
        loop {
            let patience = (self.last_sync / 2).min(GATHERING_MAX);
            let group = self.shared.next_group(GROUP_BYTES_MAX, self.expected, patience);
            if group.is_empty() {
                return;
            }
            if let Err(Error::Failed(cause)) = self.shared.healthy() {
                group.into_iter().for_each(|request| answer(request, Err(Error::Failed(cause.clone()))));
                continue;
            }
            self.commit(group);
        }
    }

    fn commit(&mut self, group: Vec<Request>) {
        let (generation, key, durable) = self.begin(group.len() as u64);
        match self.write(&group, generation, &key, durable) {
            Ok(places) => self.publish(group, &places),
            Err(refusal) => {
                let mut account = self.shared.account();
                account.writing = false;
                account.discount_generation(generation, group.len() as u64);
                drop(account);
                let error = match refusal {
                    Refusal::Full => None,
                    Refusal::Failed(cause) => Some(self.shared.poison(cause)),
                };
                for request in group {
                    let error = match &error {
                        Some(Error::Failed(cause)) => Error::Failed(cause.clone()),
                        _ => Error::DiskLow,
                    };
                    answer(request, Err(error));
                }
            }
        }
    }

    /// The generation is read and counted in one step: whoever starts another and then asks for the oldest one in use
    /// (see `Journal::oldest_generation`) sees this group, or this group sees the other generation.
    fn begin(&mut self, bodies: u64) -> (JournalGeneration, Key, u64) {
        let mut account = self.shared.account();
        let (generation, key) = self.shared.keyring.journal_current();
        account.count_generation(generation, bodies);
        account.writing = true;
        let full = |active: &Active| active.offset >= self.shared.limits.segment_bytes_max;
        if self.active.as_ref().is_some_and(|active| account.active != Some(active.number) || full(active)) {
            self.active = None;
        }
        (generation, key, account.newest)
    }

    fn write(
        &mut self,
        group: &[Request],
        generation: JournalGeneration,
        key: &Key,
        durable: u64,
    ) -> Result<Vec<Place>, Refusal> {
        let shared = self.shared.clone();
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.create()?,
        };
        self.buffer.clear();
        if active.offset == 0 {
            self.buffer.extend_from_slice(&OPENING);
        }
        let mut places = Vec::with_capacity(group.len());
        for (request, position) in group.iter().zip(durable + 1..) {
            let start = active.offset + self.buffer.len() as u64;
            let content_bytes = u32::try_from(request.content.len()).expect("a small body is under 4 GiB");
            let head = Head { content_bytes, position, durable, generation, kind: request.kind };
            head.write(&request.body_key, key, &*shared.rng, &mut self.buffer);
            self.buffer.extend_from_slice(&request.content);
            let end = active.offset + self.buffer.len() as u64;
            let disk_bytes = end - start + request.file_bytes;
            places.push(Place { position, generation, segment: active.number, start, end, disk_bytes });
        }
        if let Err(refusal) = allocate(&mut active, self.buffer.len() as u64) {
            // Nothing was written: the segment goes on once there is room.
            self.active = Some(active);
            return Err(refusal);
        }
        shared.layer.write_at(&active.file, &self.buffer, active.offset).map_err(Refusal::Failed)?;
        let started = Instant::now();
        shared.sync_data(&active.file).map_err(Refusal::Failed)?;
        self.last_sync = started.elapsed();
        if active.unnamed {
            shared.sync_dir().map_err(Refusal::Failed)?;
            active.unnamed = false;
        }
        active.offset += self.buffer.len() as u64;
        self.active = Some(active);
        // A rare large group shall not hold its memory for good.
        self.buffer.shrink_to(256 * 1024);
        Ok(places)
    }

    fn create(&mut self) -> Result<Active, Refusal> {
        let number = self.next_segment;
        let path = segment::path(&self.shared.dir, number);
        let file = match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(full) if full.kind() == io::ErrorKind::StorageFull => return Err(Refusal::Full),
            Err(other) => return Err(Refusal::Failed(other)),
        };
        self.next_segment += 1;
        self.shared.account().active = Some(number);
        Ok(Active { file, number, offset: 0, allocated: 0, unnamed: true })
    }

    fn publish(&mut self, group: Vec<Request>, places: &[Place]) {
        let (Some(active), Some(last)) = (&self.active, places.last()) else {
            return;
        };
        self.expected = group.len() + self.shared.waiting();
        let mut waiters = Vec::with_capacity(group.len());
        let mut account = self.shared.account();
        account.writing = false;
        account.newest = last.position;
        match account.segments.back_mut() {
            Some(segment) if segment.number == active.number => {
                segment.end = last.end;
                segment.last = last.position;
            }
            _ => {
                account.segments.push_back(Segment { number: active.number, end: last.end, last: last.position });
            }
        }
        for (request, place) in group.into_iter().zip(places) {
            account.bodies += 1;
            account.bytes += place.disk_bytes;
            let memory_bytes = request.handover.memory_bytes();
            if account.handed_bytes + memory_bytes <= self.shared.limits.handover_bytes_max {
                account.handed_bytes += memory_bytes;
                account.handed.push_back(Handed { place: *place, handover: request.handover });
            }
            waiters.push((request.answer, request.reservation, Position(place.position)));
        }
        drop(account);
        self.shared.announce();
        for (waiter, reservation, position) in waiters {
            drop(reservation);
            // A waiter that has gone away misses nothing: its body is filed all the same.
            drop(waiter.send(Ok(position)));
        }
    }
}

fn answer(request: Request, outcome: Result<Position, Error>) {
    drop(request.answer.send(outcome));
}

fn allocate(active: &mut Active, bytes: u64) -> Result<(), Refusal> {
    let needed = active.offset + bytes.max(FIRST_FRAME);
    if needed <= active.allocated {
        return Ok(());
    }
    let allocated = needed.next_multiple_of(ALLOCATION_BYTES);
    match fallocate(&active.file, FallocateFlags::empty(), active.allocated, allocated - active.allocated) {
        Ok(()) => active.allocated = allocated,
        Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => return Err(Refusal::Full),
        // Where space cannot be allocated ahead, the write asks for it.
        Err(rustix::io::Errno::OPNOTSUPP) => {}
        Err(other) => return Err(Refusal::Failed(other.into())),
    }
    Ok(())
}
