//! Rows as they were at one moment, read while writing goes on.
//!
//! Whoever commits while a snapshot is being read first puts by what the rows in question were, if the snapshot has not
//! come by them yet. The snapshot reads piece by piece; commits wait for a piece (a few milliseconds), and for nothing
//! else.
//!
//! Limits: one snapshot at a time; 64 MiB of rows put by, past which the snapshot is lost and not the writer held up.
//!
//! Never: a row in a snapshot that was committed after it was taken.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::store::engine::{Batch, Compacted, Engine, Error, GoOn};

/// A piece ends behind the row that reaches this, in bytes.
const PIECE_BYTES: usize = 512 * 1024;
/// Rows put by, in bytes.
const PUT_BY_BYTES_MAX: usize = 64 << 20;
/// What a row that was not there takes beside its key.
const ENTRY_BYTES: usize = 64;

/// A row's key and its value.
pub type StoredRow = (Vec<u8>, Vec<u8>);

/// An engine whose rows can be read as they were at one moment.
pub struct Snapshots {
    engine: Arc<dyn Engine>,
    /// Commits go through together; a snapshot is taken and read between them.
    gate: RwLock<()>,
    reading: Mutex<Option<Reading>>,
    put_by_bytes_max: usize,
}

/// How far a snapshot has been read, and what stood in its rows that were written since.
struct Reading {
    /// The first key that was not come by; none when all were.
    next: Option<Vec<u8>>,
    put_by: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
    lost: bool,
}

/// The rows at one moment, to be read in the order of their keys.
pub struct Snapshot<'a> {
    of: &'a Snapshots,
}

/// Why a snapshot cannot be read on.
#[derive(Clone, Debug)]
pub enum Lost {
    /// Another one is being read.
    Busy,
    /// More was written than could be put by.
    Overtaken,
    /// The store failed.
    Engine(Error),
}

impl Snapshots {
    /// The same engine, with snapshots.
    pub fn new(engine: Arc<dyn Engine>) -> Self {
        let (gate, reading) = (RwLock::default(), Mutex::default());
        Self { engine, gate, reading, put_by_bytes_max: PUT_BY_BYTES_MAX }
    }

    /// The rows as they are at this moment: what was committed is in it, what is committed later is not.
    pub fn take(&self) -> Result<Snapshot<'_>, Lost> {
        let _nobody_commits = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut reading = self.reading();
        if reading.is_some() {
            return Err(Lost::Busy);
        }
        *reading = Some(Reading { next: Some(Vec::new()), put_by: BTreeMap::new(), bytes: 0, lost: false });
        Ok(Snapshot { of: self })
    }

    /// Puts by what the rows of a batch are, where a snapshot has yet to come by.
    fn put_by(&self, batch: &Batch) -> Result<(), Error> {
        let mut reading = self.reading();
        let Some(reading) = reading.as_mut().filter(|reading| !reading.lost) else { return Ok(()) };
        let Some(next) = &reading.next else { return Ok(()) };
        for (key, _) in &batch.operations {
            if key >= next && !reading.put_by.contains_key(key) {
                let before = self.engine.get(key)?;
                reading.bytes += put_by_bytes(key, before.as_deref());
                reading.put_by.insert(key.clone(), before);
            }
        }
        if reading.bytes > self.put_by_bytes_max {
            reading.lost = true;
            reading.put_by.clear();
        }
        Ok(())
    }

    fn reading(&self) -> MutexGuard<'_, Option<Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot<'_> {
    /// The next rows; none at the end.
    pub fn piece(&mut self) -> Result<Vec<StoredRow>, Lost> {
        let _nobody_commits = self.of.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut reading = self.of.reading();
        let reading = reading.as_mut().expect("a snapshot is being read until it is dropped");
        while let Some(from) = reading.next.take() {
            if reading.lost {
                return Err(Lost::Overtaken);
            }
            let (mut found, mut bytes) = (BTreeMap::new(), 0);
            self.of.engine.scan_from(&from, &mut |key, value| {
                bytes += key.len() + value.len();
                found.insert(key.to_vec(), value.to_vec());
                bytes < PIECE_BYTES
            })?;
            let last = found.last_key_value().filter(|_| bytes >= PIECE_BYTES);
            reading.next = last.map(|(last, _)| successor(last));
            let later = reading.next.as_ref().map_or_else(BTreeMap::new, |next| reading.put_by.split_off(next));
            for (key, before) in std::mem::replace(&mut reading.put_by, later) {
                match before {
                    Some(value) => found.insert(key, value),
                    None => found.remove(&key),
                };
            }
            reading.bytes = reading.put_by.iter().map(|(key, before)| put_by_bytes(key, before.as_deref())).sum();
            if !found.is_empty() {
                return Ok(found.into_iter().collect());
            }
        }
        Ok(Vec::new())
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        *self.of.reading() = None;
    }
}

impl Engine for Snapshots {
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
        let _no_piece_is_read = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.put_by(&batch)?;
        self.engine.commit(batch)
    }

    fn bytes(&self) -> u64 {
        self.engine.bytes()
    }

    fn live_bytes(&self) -> Result<u64, Error> {
        self.engine.live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        self.engine.compact(room, go_on)
    }
}

fn put_by_bytes(key: &[u8], before: Option<&[u8]>) -> usize {
    ENTRY_BYTES + key.len() + before.map_or(0, <[u8]>::len)
}

/// The first key behind this one.
fn successor(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

impl From<Error> for Lost {
    fn from(cause: Error) -> Self {
        Self::Engine(cause)
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("another backup is being made; try again when it is done"),
            Self::Overtaken => f.write_str("more was written during the backup than it could keep apart; try again"),
            Self::Engine(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for Lost {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::Memory;
    use crate::store::sled::Sled;

    fn key(number: u32) -> Vec<u8> {
        number.to_be_bytes().to_vec()
    }

    fn write(engine: &dyn Engine, number: u32, value: Option<&[u8]>) {
        let mut batch = Batch::default();
        match value {
            Some(value) => batch.put(key(number), value.to_vec()),
            None => batch.delete(key(number)),
        }
        engine.commit(batch).expect("committed");
    }

    fn all(engine: &dyn Engine) -> Vec<StoredRow> {
        let mut rows = Vec::new();
        let scanned = engine.scan(&[], &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            true
        });
        scanned.expect("scanned");
        rows
    }

    fn check(engine: Arc<dyn Engine>) {
        let engine = Snapshots::new(engine);
        // Several pieces.
        (0..60_u32).for_each(|number| write(&engine, number * 2, Some(&[number as u8; 40_000])));
        let before = all(&engine);
        let mut snapshot = engine.take().expect("taken");
        assert!(matches!(engine.take(), Err(Lost::Busy)));
        write(&engine, 0, Some(b"before anything is read"));
        write(&engine, 118, None);
        write(&engine, 119, Some(b"behind the end"));
        let mut found = snapshot.piece().expect("read");
        let mut pieces = 1_u32;
        loop {
            // Whatever is read already, about to be, and at the far end.
            for number in [pieces * 2, pieces * 13, pieces * 13 + 1, 117 - pieces] {
                write(&engine, number, Some(b"altered"));
                write(&engine, number, Some(b"altered again"));
            }
            write(&engine, pieces * 20, None);
            let piece = snapshot.piece().expect("read");
            if piece.is_empty() {
                break;
            }
            found.extend(piece);
            pieces += 1;
        }
        assert!(pieces > 3, "{pieces} pieces");
        assert!(found == before);
        drop(snapshot);
        assert!(all(&engine) != before);
        let mut again = engine.take().expect("the one before is gone");
        let mut found = Vec::new();
        while let Some(piece) = again.piece().ok().filter(|piece| !piece.is_empty()) {
            found.extend(piece);
        }
        assert!(found == all(&engine));
    }

    #[test]
    fn snapshot_holds_what_was_there_when_it_was_taken_whatever_is_written_meanwhile() {
        check(Arc::new(Memory::default()));
        let dir = tempfile::tempdir().expect("a folder");
        check(Arc::new(Sled::open(dir.path()).expect("opened")));
    }

    #[test]
    fn snapshot_that_is_overtaken_is_lost_and_nobody_waits_for_it() {
        let mut engine = Snapshots::new(Arc::new(Memory::default()));
        engine.put_by_bytes_max = 1000;
        (0..30).for_each(|number| write(&engine, number, Some(&[1; 100])));
        let mut snapshot = engine.take().expect("taken");
        (0..30).for_each(|number| write(&engine, number, Some(&[2; 100])));
        assert!(matches!(snapshot.piece(), Err(Lost::Overtaken)));
        drop(snapshot);
        assert_eq!(engine.take().expect("taken").piece().expect("read").len(), 30);
    }
}
