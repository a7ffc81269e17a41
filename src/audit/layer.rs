//! What the log asks of the disk; tests put one that fails in its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};

pub(super) trait Layer: Send + Sync {
    /// Holds space for a write, without a change of the file's length.
    fn allocate(&self, file: &File, offset: u64, bytes: u64) -> io::Result<()> {
        match fallocate(file, FallocateFlags::KEEP_SIZE, offset, bytes) {
            // A file system that allocates as it writes.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }

    /// Writes at this offset.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Returns when the file's content is on the disk.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// The machine's disk.
pub(super) struct Plain;

impl Layer for Plain {}
