//! An engine that fails where a test says so: before a commit, or after half of it was applied.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn};

/// When a commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Never.
    None,
    /// Nothing of the commit with this number (from 1) is applied.
    Before(u64),
    /// The first half of its rows is applied.
    Halfway(u64),
}

/// Another engine with faults.
pub(crate) struct Faulty<E> {
    engine: E,
    fault: Fault,
    commits: AtomicU64,
    poisoned: AtomicBool,
}

impl<E: Engine> Faulty<E> {
    /// The engine with this fault.
    pub(crate) fn new(engine: E, fault: Fault) -> Self {
        Self { engine, fault, commits: AtomicU64::new(0), poisoned: AtomicBool::new(false) }
    }

    /// The engine as the fault left it, as a restart finds it.
    pub(crate) fn restart(self) -> E {
        self.engine
    }

    fn check(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    fn fail(&self) -> Error {
        self.poisoned.store(true, Ordering::Release);
        Error::Failed(Arc::new(io::Error::other("injected")))
    }
}

impl<E: Engine> Engine for Faulty<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.check()?;
        self.engine.get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        self.engine.scan(prefix, each)
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        self.check()?;
        self.engine.scan_from(first, each)
    }

    fn commit(&self, mut batch: Batch) -> Result<(), Error> {
        self.check()?;
        let number = self.commits.fetch_add(1, Ordering::AcqRel) + 1;
        match self.fault {
            Fault::Before(at) if at == number => Err(self.fail()),
            Fault::Halfway(at) if at == number => {
                batch.operations.truncate(batch.operations.len() / 2);
                self.engine.commit(batch)?;
                Err(self.fail())
            }
            Fault::None | Fault::Before(_) | Fault::Halfway(_) => self.engine.commit(batch),
        }
    }

    fn bytes(&self) -> u64 {
        self.engine.bytes()
    }

    fn live_bytes(&self) -> Result<u64, Error> {
        self.check()?;
        self.engine.live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        self.check()?;
        self.engine.compact(room, go_on)
    }
}
