//! A log in a temporary folder, with what it needs of the rest.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use ring::rand::SystemRandom;
use tempfile::TempDir;

use crate::audit::folder::pieces;
use crate::audit::layer::{Layer, Plain};
use crate::audit::line::mac_key;
use crate::audit::report::Report;
use crate::audit::verify::{Trust, verify};
use crate::audit::{Act, Error, Event, Log, Parts, Settings, Who};
use crate::clock::Clock;
use crate::crypto::key::Key;
use crate::crypto::keyring::Keyring;
use crate::dataset::manifest::Signer;
use crate::disk::Space;
use crate::model::audit::AuditHead;
use crate::model::time::UnixSeconds;
use crate::store::memory::Memory;
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::registry::Registry;

pub(super) const NOW: i64 = 1_793_509_200;
/// A test that waits longer than this has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

struct Noon;

impl Clock for Noon {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(NOW)
    }
}

/// What lasts over restarts.
pub(super) struct Box {
    pub(super) dir: TempDir,
    pub(super) memory: Arc<Memory>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) piece_bytes_max: u64,
    /// Of the last start.
    registry: RefCell<Registry>,
}

/// A disk whose writes, fsyncs or allocations fail from this one on; the writes and fsyncs are counted.
pub(super) struct Failing {
    pub(super) write: u64,
    pub(super) sync: u64,
    pub(super) room: u64,
    pub(super) writes: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) rooms: AtomicU64,
}

impl Default for Failing {
    fn default() -> Self {
        let (never, none) = (u64::MAX, AtomicU64::default);
        Self { write: never, sync: never, room: never, writes: none(), syncs: none(), rooms: none() }
    }
}

impl Layer for Failing {
    fn allocate(&self, file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        if self.rooms.fetch_add(1, Ordering::SeqCst) >= self.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Plain.allocate(file, offset, bytes)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.writes.fetch_add(1, Ordering::SeqCst) >= self.write {
            // A part of it comes to the disk.
            Plain.write_at(file, &bytes[..bytes.len() / 2], offset)?;
            return Err(io::Error::other("the disk broke"));
        }
        Plain.write_at(file, bytes, offset)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        if self.syncs.fetch_add(1, Ordering::SeqCst) >= self.sync {
            return Err(io::Error::other("the disk broke"));
        }
        Plain.sync(file)
    }
}

/// A disk whose first fsync ends when it is let go; the fsyncs are counted.
#[derive(Default)]
pub(super) struct Held {
    state: Mutex<HeldState>,
    changed: Condvar,
}

#[derive(Default)]
struct HeldState {
    syncs: u64,
    let_go: bool,
}

impl Held {
    /// Returns when the first fsync has begun.
    pub(super) fn wait_for_sync(&self) {
        let waited = self.changed.wait_timeout_while(self.state(), PATIENCE, |state| state.syncs == 0);
        assert!(!waited.expect("unpoisoned").1.timed_out(), "nobody asks for an fsync");
    }

    pub(super) fn let_go(&self) {
        self.state().let_go = true;
        self.changed.notify_all();
    }

    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    fn state(&self) -> MutexGuard<'_, HeldState> {
        self.state.lock().expect("unpoisoned")
    }
}

impl Layer for Held {
    fn sync(&self, file: &File) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(state, PATIENCE, |state| !state.let_go).expect("unpoisoned"));
        Plain.sync(file)
    }
}

impl Box {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let keys = dir.path().join("keyring");
        fs::create_dir(&keys).expect("a folder");
        let keyring = Keyring::open(&keys, &Key::from_bytes([7; 32]), Arc::new(SystemRandom::new()));
        let keyring = Arc::new(keyring.expect("a keyring"));
        Self {
            dir,
            memory: Arc::default(),
            keyring,
            piece_bytes_max: u64::MAX,
            registry: RefCell::new(Registry::new()),
        }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    pub(super) fn file(&self) -> PathBuf {
        self.folder().join("log")
    }

    pub(super) fn open(&self) -> Log {
        self.open_on(Arc::new(Plain)).expect("the log opens")
    }

    pub(super) fn open_on(&self, layer: Arc<dyn Layer>) -> Result<Log, Error> {
        let space = Space::new(self.dir.path(), 0).expect("a disk");
        let parts = Parts {
            space,
            engine: Arc::clone(&self.memory) as _,
            keyring: Arc::clone(&self.keyring),
            rng: Arc::new(SystemRandom::new()),
            clock: Arc::new(Noon),
        };
        let settings = Settings { dir: self.folder(), piece_bytes_max: self.piece_bytes_max };
        *self.registry.borrow_mut() = Registry::new();
        let metrics = AuditMetrics::register(&self.registry.borrow());
        Log::open_on(settings, parts, metrics, layer)
    }

    /// The metrics since the last start.
    pub(super) fn metrics(&self) -> String {
        self.registry.borrow().render()
    }

    /// As the gateway verifies it that does not run.
    pub(super) fn verify_at_rest(&self) -> Report {
        let settings = Settings { dir: self.folder(), piece_bytes_max: self.piece_bytes_max };
        let (engine, rng) = (Arc::clone(&self.memory) as _, Arc::new(SystemRandom::new()));
        Log::verify_at_rest(&settings, engine, Arc::clone(&self.keyring), rng).expect("verified")
    }

    /// A log of a start, so many acts and a stop.
    pub(super) fn with(acts: usize) -> Self {
        let site = Self::new();
        let log = site.open();
        log.started().expect("signed");
        for number in 0..acts {
            add(&log, number);
        }
        log.stopped().expect("signed");
        site
    }

    pub(super) fn site_key(&self) -> String {
        Signer::from_seed(&self.keyring.site().signing_seed).public_key()
    }

    /// On the box, without what the store keeps.
    pub(super) fn verify_with_mac(&self) -> Report {
        self.verify(true, Vec::new())
    }

    /// Off the box.
    pub(super) fn verify_copy(&self, heads: Vec<AuditHead>) -> Report {
        self.verify(false, heads)
    }

    fn verify(&self, with_mac: bool, heads: Vec<AuditHead>) -> Report {
        let mac = with_mac.then(|| mac_key(&self.keyring.site()));
        let site_key = Some(self.site_key());
        let trust = Trust { mac, site_key, heads, known: Vec::new(), kept_is_lost: false, whole: true };
        verify(pieces(&self.folder()).expect("the files"), &trust).expect("read")
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file()).expect("the log");
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    pub(super) fn put(&self, lines: &[String]) {
        fs::write(self.file(), lines.concat()).expect("written");
    }
}

pub(super) fn add(log: &Log, number: usize) -> u64 {
    let event = Event::of_participant(Act::ParticipantAdded { linked: true }, "ALPHA", &format!("A-{number}"));
    log.append(Who::Socket { uid: 1000, login_uid: None }, vec![event]).expect("entered").sequence
}
