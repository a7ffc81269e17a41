//! The engine on sled; the only file that names it.
//!
//! sled's own flush is not durable (it never calls fsync), so every commit ends with an fsync of `<dir>/db` through a
//! descriptor that stays open from the start. Waiting commits share one flush and one fsync. A failed one poisons the
//! engine: it is never tried again, because a second fsync may report success for pages the first one lost.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::store::engine::{Batch, Engine, Error};

/// sled's page cache, in bytes.
const CACHE_BYTES: u64 = 16 << 20;
/// The most rows sled takes in one batch; larger ones cost it gigabytes of memory.
const OPERATIONS_MAX: usize = 256;

/// An open sled database.
pub struct Sled {
    database: sled::Db,
    file: File,
    path: PathBuf,
    waiting: Mutex<VecDeque<(u64, Batch)>>,
    leader: Mutex<()>,
    enqueued: AtomicU64,
    durable: AtomicU64,
    poisoned: AtomicBool,
}

impl Sled {
    /// Opens the database in `dir`, or makes one.
    pub fn open(dir: &Path) -> Result<Sled, Error> {
        let opened = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(None)
            .open();
        let database = opened.map_err(|cause| Error::WouldNotOpen(cause.to_string().into()))?;
        let path = dir.join("db");
        let file = File::options().read(true).write(true).open(&path).map_err(failed)?;
        database.flush().map_err(engine_failed)?;
        file.sync_all().map_err(failed)?;
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        Ok(Sled {
            database,
            file,
            path: dir.to_owned(),
            waiting: Mutex::default(),
            leader: Mutex::default(),
            enqueued: AtomicU64::new(0),
            durable: AtomicU64::new(0),
            poisoned: AtomicBool::new(false),
        })
    }

    fn check(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    fn poison(&self, error: Error) -> Error {
        self.poisoned.store(true, Ordering::Release);
        error
    }

    /// Everything that waits, applied and made durable by the caller who leads.
    fn lead(&self) -> Result<(), Error> {
        let group: Vec<_> = lock(&self.waiting).drain(..).collect();
        let Some(newest) = group.last().map(|(ticket, _)| *ticket) else { return Ok(()) };
        let operations: Vec<_> = group.into_iter().flat_map(|(_, batch)| batch.operations).collect();
        for chunk in operations.chunks(OPERATIONS_MAX) {
            let mut batch = sled::Batch::default();
            for (key, value) in chunk {
                match value {
                    Some(value) => batch.insert(key.as_slice(), value.as_slice()),
                    None => batch.remove(key.as_slice()),
                }
            }
            self.database.apply_batch(batch).map_err(|cause| self.poison(engine_failed(cause)))?;
        }
        self.database.flush().map_err(|cause| self.poison(engine_failed(cause)))?;
        self.file.sync_data().map_err(|cause| self.poison(failed(cause)))?;
        self.durable.store(newest, Ordering::Release);
        Ok(())
    }
}

/// sled writes and syncs once more when its last handle goes, and panics where it cannot; on a disk that fails, the
/// handle stays until the process ends. Everything that was acknowledged is durable without that.
impl Drop for Sled {
    fn drop(&mut self) {
        let sound = self.check().is_ok() && self.database.flush().is_ok() && self.file.sync_data().is_ok();
        if !sound {
            std::mem::forget(self.database.clone());
        }
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.check()?;
        let value = self.database.get(key).map_err(|cause| self.poison(engine_failed(cause)))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        for row in self.database.scan_prefix(prefix) {
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
        let Ok(entries) = std::fs::read_dir(&self.path) else { return 0 };
        entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
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
