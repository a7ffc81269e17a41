//! The engine on sled, whose files are `store/files.rs`.
//!
//! Waiting commits share one flush and one fsync. A failed one poisons the engine: it is never tried again, because a
//! second fsync may report success for pages the first one lost.
//!
//! Deleting erases nothing in sled's files. A compaction writes the live rows into a folder beside the first, which
//! counts from the moment on that the pointer names it (`store/generation.rs`); the old folder is removed when its last reader
//! has gone. Commits go on while rows are copied: the rows that they touch are copied once more, round by round, and
//! commits wait only for the last few and for the pointer.

use std::{
    collections::{BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn};
use crate::store::files::{FRESH_BYTES, OPERATIONS_MAX, Open, failed};
use crate::store::generation;

/// Commits wait for the last rows of a compaction once they are so few.
const LAST_ROWS: usize = 256;
/// Or after so many rounds of catching up with them.
const ROUNDS_MAX: usize = 16;
/// So often it is looked whether the last reader of the old files has gone, and so long it is waited each time.
const READERS_LOOKS: usize = 100;
const READERS_LOOK: Duration = Duration::from_millis(10);

/// An open sled database.
pub struct Sled {
    /// The folder of the first generation; later ones stand beside it.
    base: PathBuf,
    open: RwLock<Arc<Open>>,
    waiting: Mutex<VecDeque<(u64, Batch)>>,
    leader: Mutex<()>,
    /// One compaction at a time.
    compacting: Mutex<()>,
    /// The rows that were written since a compaction began to copy; none while none runs. Changed by who leads.
    touched: Mutex<Option<BTreeSet<Vec<u8>>>>,
    enqueued: AtomicU64,
    durable: AtomicU64,
    poisoned: Arc<AtomicBool>,
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
            compacting: Mutex::default(),
            touched: Mutex::default(),
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
        if let Some(touched) = &mut *lock(&self.touched) {
            touched.extend(operations.into_iter().map(|(key, _)| key));
        }
        open.flush().map_err(|error| self.poison(error))?;
        self.durable.store(newest, Ordering::Release);
        Ok(())
    }

    /// All rows in another folder, durable. Nothing is committed from the return on while the guard is held.
    fn copied(&self, old: &Open, dir: &Path, go_on: GoOn<'_>) -> Result<Option<(Open, MutexGuard<'_, ()>)>, Error> {
        let leading = lock(&self.leader);
        *lock(&self.touched) = Some(BTreeSet::new());
        drop(leading);
        let copy = Open::at(dir, &self.poisoned)?;
        if !copy.take_all(old, go_on)? {
            return Ok(None);
        }
        for _ in 0..ROUNDS_MAX {
            let leading = lock(&self.leader);
            let touched = lock(&self.touched).replace(BTreeSet::new()).unwrap_or_default();
            drop(leading);
            copy.take(old, &touched)?;
            if touched.len() <= LAST_ROWS {
                break;
            }
        }
        generation::sync_all(dir).map_err(failed)?;
        let leading = lock(&self.leader);
        // A commit that failed has poisoned the engine: what counts stays as it is.
        self.check()?;
        copy.take(old, &lock(&self.touched).take().unwrap_or_default())?;
        generation::sync_all(dir).map_err(failed)?;
        Ok(Some((copy, leading)))
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.check()?;
        self.current().get(key).map_err(|error| self.poison(error))
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        self.current().scan(prefix, each).map_err(|error| self.poison(error))
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        self.current().scan_from(first, each).map_err(|error| self.poison(error))
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

    fn live_bytes(&self) -> Result<u64, Error> {
        self.check()?;
        self.current().live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        self.check()?;
        let _only = lock(&self.compacting);
        let old = self.current();
        if room < old.live_bytes()?.saturating_mul(2).saturating_add(FRESH_BYTES) {
            return Ok(Compacted::NoRoom);
        }
        let dir = generation::next(&self.base, &old.dir);
        generation::remove_others(&self.base, &old.dir).map_err(failed)?;
        let copied = self.copied(&old, &dir, go_on);
        let (copy, leading) = match copied {
            Ok(Some(copied)) => copied,
            Ok(None) | Err(_) => {
                *lock(&self.touched) = None;
                generation::remove_others(&self.base, &old.dir).map_err(failed)?;
                return copied.map(|_| Compacted::Stopped);
            }
        };
        // Where this fails, nobody knows which of the two a start would find.
        generation::point(&self.base, &dir).map_err(|cause| self.poison(failed(cause)))?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(copy);
        drop(leading);
        old.retired.store(true, Ordering::Release);
        let old_dir = old.dir.clone();
        // Most readers are at their end in a moment.
        for _ in 0..READERS_LOOKS {
            if Arc::strong_count(&old) == 1 {
                break;
            }
            thread::sleep(READERS_LOOK);
        }
        drop(old);
        if old_dir.exists() { Ok(Compacted::InUse) } else { Ok(Compacted::Done) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
