//! What the store needs of a database: ordered rows, read at once, written in batches that are durable on return.

use std::{fmt, io, sync::Arc};

/// A database under the store. One suite of tests holds for every engine.
pub trait Engine: Send + Sync {
    /// The value of a row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Hands every row whose key begins with `prefix` to `each`, in key order, until it returns `false`.
    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error>;

    /// The same for every row from `first` on.
    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error>;

    /// Applies the batch in its order; returns when all of it is flushed and fsynced. Readers see a batch of up to 256
    /// operations at once; after a crash or an error the first part of a longer one may be there, so that what says
    /// "done" stands last. After an error the engine is poisoned: every later call fails.
    fn commit(&self, batch: Batch) -> Result<(), Error>;

    /// Bytes on disk.
    fn bytes(&self) -> u64;

    /// Writes what lives anew, so that nothing that was deleted is left in the files, where `room` bytes are enough for
    /// it; readers and writers go on afterwards as if nothing had happened. After an error, the database is as before.
    fn compact(&self, room: u64) -> Result<Compacted, Error>;
}

/// How a compaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compacted {
    /// Nothing that was deleted before is left.
    Done,
    /// What lives was written anew, but somebody still reads from the old files: they are there until then.
    InUse,
    /// There is no room to write what lives anew; nothing was done.
    NoRoom,
}

impl<E: Engine + ?Sized> Engine for Arc<E> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        (**self).get(key)
    }

    fn scan(&self, prefix: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        (**self).scan(prefix, each)
    }

    fn scan_from(&self, first: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<(), Error> {
        (**self).scan_from(first, each)
    }

    fn commit(&self, batch: Batch) -> Result<(), Error> {
        (**self).commit(batch)
    }

    fn bytes(&self) -> u64 {
        (**self).bytes()
    }

    fn compact(&self, room: u64) -> Result<Compacted, Error> {
        (**self).compact(room)
    }
}

/// Rows to be written together.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Key and value; `None` deletes.
    pub operations: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Batch {
    /// The row will have this value.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.operations.push((key, Some(value)));
    }

    /// The row will be gone.
    pub fn delete(&mut self, key: Vec<u8>) {
        self.operations.push((key, None));
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// Does what the other does, after what this one does.
    pub fn append(&mut self, other: Batch) {
        self.operations.extend(other.operations);
    }
}

/// The store failed: nothing more is read from or written to it until a restart.
#[derive(Clone, Debug)]
pub enum Error {
    /// A write, a flush or an fsync failed.
    Failed(Arc<io::Error>),
    /// An earlier call failed.
    Poisoned,
    /// The database would not open.
    WouldNotOpen(Arc<str>),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(cause) => write!(f, "the store failed: {cause}"),
            Self::Poisoned => f.write_str("the store failed earlier; a restart recovers it"),
            Self::WouldNotOpen(cause) => write!(f, "the database does not open: {cause}"),
        }
    }
}

impl std::error::Error for Error {}

/// A row's key: whose it is, which table, which item. Owner zero is the site itself.
pub fn row(owner: &[u8; 16], table: u8, item: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(17 + item.len());
    key.extend_from_slice(owner);
    key.push(table);
    key.extend_from_slice(item);
    key
}

/// The owner of rows that belong to nobody.
pub const SITE: [u8; 16] = [0; 16];

/// Every table of the store, by the byte in its rows' keys.
pub mod table {
    /// Site: a study, by id.
    pub const STUDY: u8 = b's';
    /// Site: a tombstone, by keyed digest.
    pub const TOMBSTONE: u8 = b't';
    /// Site: how far filing has come, and the commit sequence.
    pub const PROGRESS: u8 = b'j';
    /// Site: a quarantined item.
    pub const QUARANTINE: u8 = b'q';
    /// Site: a purge, under way or done.
    pub const PURGE: u8 = b'X';
    /// Site: an export that was handed out, and the codes in it.
    pub const EXPORT: u8 = b'E';
    /// Site: the last head of the audit log.
    pub const AUDIT: u8 = b'a';
    /// Site: a backup that was made.
    pub const BACKUP: u8 = b'B';
    /// Owner: the participant.
    pub const PARTICIPANT: u8 = b'P';
    /// Owner: the participant's links.
    pub const LINKS: u8 = b'L';
    /// Owner: a held connection.
    pub const HELD: u8 = b'H';
    /// Owner: a pack of records.
    pub const PACK: u8 = b'R';
    /// Owner: a ping that waits to be pulled.
    pub const PULL: u8 = b'U';
    /// Owner: how far the pull of a ping has come.
    pub const PULL_STATE: u8 = b'V';
    /// Owner: permissions, per connection.
    pub const PERMISSION: u8 = b'M';
}
