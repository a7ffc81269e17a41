//! The files of one generation of the database; the only place that names sled, the library.
//!
//! Its own flush is not durable (it never calls fsync), so each of ours ends with an fsync of `<dir>/db` through a
//! descriptor that stays open from the start.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::store::engine::{Error, GoOn};

/// sled's page cache, in bytes.
const CACHE_BYTES: u64 = 16 << 20;
/// The most rows sled takes in one batch; larger ones cost it gigabytes of memory.
pub(super) const OPERATIONS_MAX: usize = 256;
/// What a database takes beside twice its rows, in bytes.
pub(super) const FRESH_BYTES: u64 = 4 << 20;
/// So much is copied between two fsyncs: whoever else waits for the disk then waits for little.
const COPIED_AT_ONCE_BYTES: usize = 1 << 20;
/// A database that was just closed may be locked for a moment yet: by a thread of sled's that ends, or by a program that
/// is being started and has not run yet. So often its opening is tried, with this wait in between.
const OPENINGS_MAX: u32 = 250;
const BETWEEN_OPENINGS: Duration = Duration::from_millis(20);

/// One generation's files, open.
pub(super) struct Open {
    /// There until it is dropped.
    database: Option<sled::Db>,
    file: File,
    pub(super) dir: PathBuf,
    poisoned: Arc<AtomicBool>,
    /// Another generation counts: the folder goes with its last reader.
    pub(super) retired: AtomicBool,
}

impl Open {
    /// The database in this folder; made where there is none.
    pub(super) fn at(dir: &Path, poisoned: &Arc<AtomicBool>) -> Result<Open, Error> {
        remove_drafts(dir).map_err(failed)?;
        let database = open_once_free(dir).map_err(|cause| Error::WouldNotOpen(cause.to_string().into()))?;
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

    /// Applies at most `OPERATIONS_MAX` of them, seen by readers at once.
    pub(super) fn apply(&self, operations: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), Error> {
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
    pub(super) fn flush(&self) -> Result<(), Error> {
        self.database().flush().map_err(engine_failed)?;
        self.file.sync_data().map_err(failed)
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.database().get(key).map_err(engine_failed)?.map(|value| value.to_vec()))
    }

    pub(super) fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        for row in self.database().scan_prefix(prefix) {
            let (key, value) = row.map_err(engine_failed)?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        for row in self.database().range(first..) {
            let (key, value) = row.map_err(engine_failed)?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }

    /// Bytes of all rows.
    pub(super) fn live_bytes(&self) -> Result<u64, Error> {
        let mut live = 0;
        for row in self.database().iter() {
            let (key, value) = row.map_err(engine_failed)?;
            live += (key.len() + value.len()) as u64;
        }
        Ok(live)
    }

    /// Takes all rows of another database, durably; whether it was not told to end.
    pub(super) fn take_all(&self, other: &Open, go_on: GoOn<'_>) -> Result<bool, Error> {
        let (mut operations, mut bytes) = (Vec::with_capacity(OPERATIONS_MAX), 0);
        for row in other.database().iter() {
            let (key, value) = row.map_err(engine_failed)?;
            bytes += key.len() + value.len();
            operations.push((key.to_vec(), Some(value.to_vec())));
            if operations.len() == OPERATIONS_MAX {
                self.apply(&operations)?;
                operations.clear();
            }
            if bytes >= COPIED_AT_ONCE_BYTES {
                self.flush()?;
                bytes = 0;
                if !go_on() {
                    return Ok(false);
                }
            }
        }
        self.apply(&operations)?;
        self.flush()?;
        Ok(true)
    }

    /// Takes these rows as they are in another database, durably: what is not there is not here.
    pub(super) fn take(&self, other: &Open, keys: &BTreeSet<Vec<u8>>) -> Result<(), Error> {
        let mut operations = Vec::with_capacity(keys.len().min(OPERATIONS_MAX));
        for key in keys {
            operations.push((key.clone(), other.get(key)?));
            if operations.len() == OPERATIONS_MAX {
                self.apply(&operations)?;
                operations.clear();
            }
        }
        self.apply(&operations)?;
        self.flush()
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

pub(super) fn failed(cause: io::Error) -> Error {
    Error::Failed(Arc::new(cause))
}

/// Removes summaries of the log that a power cut kept sled from writing to their end. It would take the newest of them
/// for a whole one and not open; without it, it reads the summary before, and the log.
fn remove_drafts(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(other) => return Err(other),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn open_once_free(dir: &Path) -> sled::Result<sled::Db> {
    let config =
        sled::Config::new().path(dir).cache_capacity(CACHE_BYTES).mode(sled::Mode::LowSpace).flush_every_ms(None);
    let mut tried = 0;
    loop {
        tried += 1;
        match config.open() {
            Err(cause) if tried < OPENINGS_MAX && cause.to_string().contains("could not acquire lock") => {
                thread::sleep(BETWEEN_OPENINGS);
            }
            other => return other,
        }
    }
}

fn engine_failed(cause: sled::Error) -> Error {
    failed(io::Error::other(cause.to_string()))
}
