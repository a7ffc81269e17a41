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

    /// Bytes of all rows, keys and values; reads all of them.
    fn live_bytes(&self) -> Result<u64, Error>;

    /// Writes what lives anew, so that nothing that was deleted before the call is left in the files, where `room` bytes
    /// are enough for it; readers and writers go on meanwhile, writers but for a moment at the end. It ends early where
    /// `go_on` says so, which is asked now and then. Where it is not done, the database is as before.
    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error>;
}

/// Whether what takes long is to go on.
pub type GoOn<'a> = &'a dyn Fn() -> bool;

/// How a compaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compacted {
    /// Nothing that was deleted before is left.
    Done,
    /// What lives was written anew, but somebody still reads from the old files: they are there until then.
    InUse,
    /// There is no room to write what lives anew; nothing was done.
    NoRoom,
    /// It was told to end before it was done.
    Stopped,
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

    fn live_bytes(&self) -> Result<u64, Error> {
        (**self).live_bytes()
    }

    fn compact(&self, room: u64, go_on: GoOn<'_>) -> Result<Compacted, Error> {
        (**self).compact(room, go_on)
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
    /// Site: a token of the API, by keyed digest.
    pub const TOKEN: u8 = b'T';
    /// Site: a participant as an export handed them out, by owner and number.
    pub const HANDED_OUT: u8 = b'e';
    /// Site: the last head of the audit log.
    pub const AUDIT: u8 = b'a';
    /// Site: a backup that was made.
    pub const BACKUP: u8 = b'B';
    /// Site: when the escrow of the root key was last verified.
    pub const ESCROW: u8 = b'k';
    /// Site: what was seen of the traffic, without anything of a person.
    pub const OBSERVED: u8 = b'o';
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
