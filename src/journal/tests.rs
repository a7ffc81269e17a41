//! The journal on a disk that counts, waits and fails.

mod failures;
mod given_once;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::FileExt,
    sync::{Condvar, Mutex, mpsc},
    time::Duration,
};

use ring::rand::SystemRandom;
use tokio::runtime::Runtime;

use super::*;
use crate::crypto::keyring::Change;
use crate::model::entry::{Field, Shape, Whose};
use crate::model::pull::{PullId, PullRef};

const PATIENCE: Duration = Duration::from_secs(20);

/// A disk whose syncs wait while it is held, and that fails when told to.
#[derive(Default)]
struct Disk {
    state: Mutex<State>,
    changed: Condvar,
    /// The next write or sync fails with this error.
    fault: Mutex<Option<(Step, io::ErrorKind)>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Write,
    Sync,
    SyncDir,
}

#[derive(Default)]
struct State {
    held: bool,
    waiting: usize,
}

impl Disk {
    fn hold(&self) {
        self.state.lock().unwrap().held = true;
    }

    fn release(&self) {
        self.state.lock().unwrap().held = false;
        self.changed.notify_all();
    }

    /// Returns when a sync waits.
    fn wait_for_sync(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.waiting == 0).unwrap());
    }

    fn fail_next(&self, step: Step, kind: io::ErrorKind) {
        *self.fault.lock().unwrap() = Some((step, kind));
    }

    fn fault(&self, step: Step) -> io::Result<()> {
        match self.fault.lock().unwrap().take_if(|(at, _)| *at == step) {
            Some((_, kind)) => Err(kind.into()),
            None => Ok(()),
        }
    }
}

impl layer::Layer for Disk {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.fault(Step::Write)?;
        file.write_all_at(bytes, offset)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.fault(Step::Sync)?;
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        self.changed.notify_all();
        let mut state = self.changed.wait_while(state, |state| state.held).unwrap();
        state.waiting -= 1;
        file.sync_data()
    }

    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        self.fault(Step::SyncDir)?;
        dir.sync_all()
    }
}

struct Bench {
    dir: tempfile::TempDir,
    keyring: Arc<Keyring>,
    disk: Arc<Disk>,
    limits: Limits,
    reserve: u64,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::open(dir.path(), &Key::from_bytes([1; 32]), Arc::new(SystemRandom::new())).unwrap();
        let runtime = Runtime::new().unwrap();
        let (keyring, disk) = (Arc::new(keyring), Arc::default());
        Self { dir, keyring, disk, limits: Limits::default(), reserve: 0, runtime }
    }

    fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    fn open(&self, filed: u64) -> (Journal, Reader) {
        let space = Space::new(self.dir.path(), self.reserve).unwrap();
        let rng = Arc::new(SystemRandom::new());
        let dir = self.journal_dir();
        let shared = Shared::new(&dir, self.limits, self.keyring.clone(), space, rng, self.disk.clone());
        Journal::open_on(shared, Position(filed)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn commit(&self, journal: &Journal, text: &str) -> Result<Position, Error> {
        self.runtime.block_on(journal.commit(header(), text.into(), vec![entry(0..text.len() as u64)]))
    }

    /// Starts a commit and does not wait for it.
    fn begin(&self, journal: &Journal, text: String) -> mpsc::Receiver<Result<Position, Error>> {
        self.begin_as(journal, header(), text)
    }

    fn begin_as(&self, journal: &Journal, header: Header, text: String) -> mpsc::Receiver<Result<Position, Error>> {
        let (sender, receiver) = mpsc::channel();
        let journal = journal.clone();
        self.runtime.spawn(async move {
            let outcome = journal.commit(header, text.into_bytes(), Vec::new()).await;
            sender.send(outcome).unwrap();
        });
        receiver
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.journal_dir())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn header() -> Header {
    Header { received: UnixSeconds(1_800_000_000), client: ClientId::single(), pull: None }
}

fn entry(span: std::ops::Range<u64>) -> Entry {
    Entry {
        member: "dailies".into(),
        span,
        shape: Shape::Push,
        whose: Whose::User("someone".into()),
        fields: vec![(Field::SummaryId, "x-1".into())],
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes
}

fn text(delivery: Option<Delivery>) -> String {
    match delivery.expect("a body").body {
        Body::Inline { bytes, .. } => String::from_utf8(bytes).unwrap(),
        Body::Spilled(_) => panic!("a spilled body"),
    }
}

#[test]
fn body_waits_while_filing_is_behind() {
    let mut bench = Bench::new();
    bench.limits.backlog_bodies_max = 2;
    let (journal, mut reader) = bench.open(0);
    for text in ["{}", "{}"] {
        bench.commit(&journal, text).unwrap();
    }
    let third = bench.begin(&journal, "{}".to_owned());
    assert_eq!(third.recv_timeout(Duration::from_millis(50)).err(), Some(mpsc::RecvTimeoutError::Timeout));
    assert_eq!(journal.newest(), Position(2));
    reader.next(PATIENCE).unwrap();
    reader.filed(Position(1)).unwrap();
    assert_eq!(third.recv_timeout(PATIENCE).unwrap().unwrap(), Position(3));
}

#[test]
fn one_fsync_serves_many_waiters() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    bench.commit(&journal, "opens the segment").unwrap();
    let before = journal.fsyncs();
    bench.disk.hold();
    let first = bench.begin(&journal, "first".into());
    bench.disk.wait_for_sync();
    let rest: Vec<_> = (0..40).map(|number| bench.begin(&journal, format!("{number}"))).collect();
    while journal.handle.shared.waiting() < 40 {
        std::thread::yield_now();
    }
    bench.disk.release();
    first.recv().unwrap().unwrap();
    let places: BTreeSet<_> = rest.iter().map(|answer| answer.recv().unwrap().unwrap()).collect();
    assert_eq!(places, (3..43).map(Position).collect());
    assert_eq!(journal.fsyncs() - before, 2);
    for place in 1..43 {
        assert_eq!(reader.next(PATIENCE).unwrap().unwrap().position, Position(place));
    }
}

#[test]
fn answer_to_a_ping_waits_for_company_and_a_notification_takes_it_along_at_once() {
    let mut bench = Bench::new();
    bench.limits.patience = Duration::from_secs(3600);
    let (journal, _reader) = bench.open(0);
    bench.commit(&journal, "opens the segment").unwrap();
    let before = journal.fsyncs();
    let pull = Some(PullRef { id: PullId([1; 12]), ping: 1 });
    let answer = bench.begin_as(&journal, Header { pull, ..header() }, "pulled".into());
    while journal.handle.shared.waiting() < 1 {
        std::thread::yield_now();
    }
    assert_eq!(bench.commit(&journal, "pushed").unwrap(), Position(3));
    assert_eq!(answer.recv().unwrap().unwrap(), Position(2));
    assert_eq!(journal.fsyncs() - before, 1);
}

#[test]
fn nothing_is_delivered_or_answered_before_the_fsync() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    bench.disk.hold();
    let answer = bench.begin(&journal, "waits".into());
    bench.disk.wait_for_sync();
    assert!(answer.try_recv().is_err());
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
    assert_eq!((journal.newest(), journal.backlog()), (Position(0), (0, 0)));
    bench.disk.release();
    assert_eq!(answer.recv().unwrap().unwrap(), Position(1));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "waits");
}

#[test]
fn reader_falls_back_to_the_segment_when_memory_is_full() {
    let mut bench = Bench::new();
    bench.limits.handover_bytes_max = 2000;
    bench.limits.segment_bytes_max = 4000;
    let (journal, mut reader) = bench.open(0);
    let expected: Vec<String> = (0..50).map(|number| format!("body {number}")).collect();
    for (number, body) in expected.iter().enumerate() {
        bench.commit(&journal, body).unwrap();
        if number % 17 == 0 {
            assert_eq!(text(reader.next(PATIENCE).unwrap()), expected[number / 17]);
        }
    }
    assert!(bench.files().len() > 2, "several segments");
    for body in &expected[3..] {
        let delivery = reader.next(PATIENCE).unwrap().unwrap();
        let Body::Inline { bytes, entries } = delivery.body else { panic!("a spilled body") };
        assert_eq!((&*bytes, delivery.header), (body.as_bytes(), header()));
        assert!(entries == [entry(0..body.len() as u64)]);
    }
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
}

#[test]
fn filed_segments_go_and_the_active_one_when_idle() {
    let mut bench = Bench::new();
    bench.limits.segment_bytes_max = 1000;
    let (journal, mut reader) = bench.open(0);
    for number in 0..20 {
        bench.commit(&journal, &format!("{number}")).unwrap();
        reader.next(PATIENCE).unwrap().unwrap();
    }
    let (bodies, bytes) = journal.backlog();
    assert_eq!(bodies, 20);
    assert!(bytes > 20 * 100);
    reader.filed(Position(10)).unwrap();
    assert_eq!(journal.backlog().0, 10);
    reader.filed(Position(20)).unwrap();
    assert_eq!(bench.files().len(), 1, "the active segment");
    assert!(reader.next(Duration::ZERO).unwrap().is_none());
    assert_eq!(bench.files(), [""; 0]);
    assert_eq!(journal.backlog(), (0, 0));
    assert_eq!(bench.commit(&journal, "goes on").unwrap(), Position(21));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "goes on");
}

#[test]
fn active_segment_goes_without_idling_once_it_is_large() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    let noise = noise(60_000);
    for place in 1..=20 {
        bench.runtime.block_on(journal.commit(header(), noise.clone(), Vec::new())).unwrap();
        reader.next(PATIENCE).unwrap().unwrap();
        reader.filed(Position(place)).unwrap();
        assert!(bench.files().len() <= 1);
    }
    assert_eq!(bench.files(), ["seg-0000000000000002"], "the first was given up past its limit");
}

#[test]
fn generation_in_use_is_seen_until_its_bodies_are_filed() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    assert_eq!(journal.oldest_generation(), None);
    bench.commit(&journal, "under the first").unwrap();
    bench.keyring.update(&[Change::NextJournalGeneration]).unwrap();
    bench.disk.hold();
    let under_the_second = bench.begin(&journal, "under the second".into());
    bench.disk.wait_for_sync();
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(1)));
    reader.next(PATIENCE).unwrap().unwrap();
    reader.filed(Position(1)).unwrap();
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(2)), "what is being written counts");
    bench.disk.release();
    under_the_second.recv().unwrap().unwrap();
    drop((journal, reader));
    bench.keyring.rotate(&[Change::DestroyJournalBefore(JournalGeneration(2))]).unwrap();
    let (journal, mut reader) = bench.open(1);
    assert_eq!(journal.oldest_generation(), Some(JournalGeneration(2)));
    assert_eq!(text(reader.next(PATIENCE).unwrap()), "under the second");
    reader.filed(Position(2)).unwrap();
    assert_eq!(journal.oldest_generation(), None);
}

#[test]
fn closed_journal_refuses_new_bodies_and_lets_begun_ones_end() {
    let bench = Bench::new();
    let (journal, mut reader) = bench.open(0);
    let mut spool = journal.spool().unwrap();
    journal.close();
    assert!(matches!(bench.commit(&journal, "late"), Err(Error::Closed)));
    assert!(matches!(journal.spool(), Err(Error::Closed)));
    spool.write(b"begun").unwrap();
    assert_eq!(spool.commit(header()).unwrap(), Position(1));
    assert!(reader.next(PATIENCE).unwrap().is_some());
}
