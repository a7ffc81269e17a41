//! The engine on sled; the only file that names it.
//!
//! sled's own flush is not durable (it never calls fsync), so every commit ends with an fsync of `<dir>/db` through a
//! descriptor that stays open from the start. Waiting commits share one flush and one fsync. A failed one poisons the
//! engine: it is never tried again, because a second fsync may report success for pages the first one lost.
//!
//! Deleting erases nothing in sled's files. A compaction writes the live rows into a folder beside the first, which
//! counts from the moment on that the pointer names it (`store/generation.rs`); the old folder is removed when its last reader
//! has gone.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::store::engine::{Batch, Compacted, Engine, Error};
use crate::store::generation;

/// sled's page cache, in bytes.
const CACHE_BYTES: u64 = 16 << 20;
/// The most rows sled takes in one batch; larger ones cost it gigabytes of memory.
const OPERATIONS_MAX: usize = 256;
/// What a database takes beside twice its rows, in bytes.
const FRESH_BYTES: u64 = 4 << 20;

/// An open sled database.
pub struct Sled {
    /// The folder of the first generation; later ones stand beside it.
    base: PathBuf,
    open: RwLock<Arc<Open>>,
    waiting: Mutex<VecDeque<(u64, Batch)>>,
    leader: Mutex<()>,
    enqueued: AtomicU64,
    durable: AtomicU64,
    poisoned: Arc<AtomicBool>,
}

/// One generation's files.
struct Open {
    /// There until it is dropped.
    database: Option<sled::Db>,
    file: File,
    dir: PathBuf,
    poisoned: Arc<AtomicBool>,
    /// Another generation counts: the folder goes with its last reader.
    retired: AtomicBool,
}

impl Sled {
    /// Opens the database whose first generation is in `dir`, or makes one; generations that do not count are removed.
    pub fn open(dir: &Path) -> Result<Sled, Error> {
        let current = generation::current(dir).map_err(failed)?;
        let poisoned = Arc::new(AtomicBool::new(false));
        let open = Open::at(&current, &poisoned)?;
        generation::remove_others(dir, &current).map_err(failed)?;
        Ok(Sled {
            base: dir.to_owned(),
            open: RwLock::new(Arc::new(open)),
            waiting: Mutex::default(),
            leader: Mutex::default(),
            enqueued: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            poisoned,
        })
    }

    fn check(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    fn poison(&self, error: Error) -> Error {
        self.poisoned.store(true, Ordering::Release);
        error
    }

    /// The generation that counts. Whoever holds it may read from it to the end.
    fn current(&self) -> Arc<Open> {
        Arc::clone(&self.open.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Everything that waits, applied and made durable by the caller who leads.
    fn lead(&self) -> Result<(), Error> {
        let group: Vec<_> = lock(&self.waiting).drain(..).collect();
        let Some(newest) = group.last().map(|(ticket, _)| *ticket) else { return Ok(()) };
        let operations: Vec<_> = group.into_iter().flat_map(|(_, batch)| batch.operations).collect();
        let open = self.current();
        for chunk in operations.chunks(OPERATIONS_MAX) {
            open.apply(chunk).map_err(|error| self.poison(error))?;
        }
        open.flush().map_err(|error| self.poison(error))?;
        self.durable.store(newest, Ordering::Release);
        Ok(())
    }
}

impl Open {
    fn at(dir: &Path, poisoned: &Arc<AtomicBool>) -> Result<Open, Error> {
        let opened = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None)
            .open();
        let database = opened.map_err(|cause| Error::WouldNotOpen(cause.to_string().into()))?;
        let file = File::options().read(true).write(true).open(dir.join("db")).map_err(failed)?;
        let (dir, poisoned) = (dir.to_owned(), Arc::clone(poisoned));
        let open = Open { database: Some(database), file, dir, poisoned, retired: AtomicBool::new(false) };
        open.flush()?;
        File::open(&open.dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(open)
    }

    fn database(&self) -> &sled::Db {
        self.database.as_ref().expect("a database is there until it is dropped")
    }

    fn apply(&self, operations: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for (key, value) in operations {
            match value {
                Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                None => batch.remove(key.as_slice()),
            }
        }
        self.database().apply_batch(batch).map_err(engine_failed)
    }

    /// What was applied is on the disk on return.
    fn flush(&self) -> Result<(), Error> {
        self.database().flush().map_err(engine_failed)?;
        self.file.sync_data().map_err(failed)
    }

    /// Bytes of all rows.
    fn live_bytes(&self) -> Result<u64, Error> {
        let mut live = 0;
        for row in self.database().iter() {
            let (key, value) = row.map_err(engine_failed)?;
            live += (key.len() + value.len()) as u64;
        }
        Ok(live)
    }

    /// All rows in another folder, durable on return.
    fn copy_to(&self, dir: &Path) -> Result<Open, Error> {
        let copy = Open::at(dir, &self.poisoned)?;
        let mut operations = Vec::with_capacity(OPERATIONS_MAX);
        for row in self.database().iter() {
            let (key, value) = row.map_err(engine_failed)?;
            operations.push((key.to_vec(), Some(value.to_vec())));
            if operations.len() == OPERATIONS_MAX {
                copy.apply(&operations)?;
                operations.clear();
            }
        }
        copy.apply(&operations)?;
        copy.flush()?;
        generation::sync_all(dir).map_err(failed)?;
        Ok(copy)
    }
}

/// sled writes and syncs once more when its last handle goes, and panics where it cannot; on a disk that fails, the
/// handle stays until the process ends. Everything that was acknowledged is durable without that.
impl Drop for Open {
    fn drop(&mut self) {
        let sound = !self.poisoned.load(Ordering::Acquire) && self.flush().is_ok();
        let database = self.database.take();
        if !sound {
            std::mem::forget(database);
            return;
        }
        drop(database);
        if self.retired.load(Ordering::Acquire)
            && let Err(error) = fs::remove_dir_all(&self.dir)
        {
            tracing::warn!(%error, "the database from before a compaction is removed at the next start");
        }
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.check()?;
        let value = self.current().database().get(key).map_err(|cause| self.poison(engine_failed(cause)))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        let open = self.current();
        for row in open.database().scan_prefix(prefix) {
            let (key, value) = row.map_err(|cause| self.poison(engine_failed(cause)))?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        let open = self.current();
        for row in open.database().range(first..) {
            let (key, value) = row.map_err(|cause| self.poison(engine_failed(cause)))?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        self.check()?;
        let ticket = {
            let mut waiting = lock(&self.waiting);
            let ticket = self.enqueued.fetch_add(1, Ordering::AcqRel) + 1;
            waiting.push_back((ticket, batch));
            ticket
        };
        let _leading = lock(&self.leader);
        if self.durable.load(Ordering::Acquire) >= ticket {
            return Ok(());
        }
        self.check()?;
        self.lead()
    }

    fn bytes(&self) -> u64 {
        let Ok(entries) = fs::read_dir(&self.current().dir) else { return 0 };
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
    }

    /// Commits wait while the rows are copied; reads do not.
    fn compact(&self, room: u64) -> Result<Compacted, Error> {
        self.check()?;
        let _leading = lock(&self.leader);
        let old = self.current();
        if room < old.live_bytes()?.saturating_mul(2).saturating_add(FRESH_BYTES) {
            return Ok(Compacted::NoRoom);
        }
        let dir = generation::next(&self.base, &old.dir);
        generation::remove_others(&self.base, &old.dir).map_err(failed)?;
        let copy = match old.copy_to(&dir) {
            Ok(copy) => copy,
            Err(error) => {
                generation::remove_others(&self.base, &old.dir).map_err(failed)?;
                return Err(error);
            }
        };
        // Where this fails, nobody knows which of the two a start would find.
        generation::point(&self.base, &dir).map_err(|cause| self.poison(failed(cause)))?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(copy);
        old.retired.store(true, Ordering::Release);
        let old_dir = old.dir.clone();
        drop(old);
        if old_dir.exists() { Ok(Compacted::InUse) } else { Ok(Compacted::Done) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(cause: io::Error) -> Error {
    Error::Failed(Arc::new(cause))
}

fn engine_failed(cause: sled::Error) -> Error {
    failed(io::Error::other(cause.to_string()))
}
