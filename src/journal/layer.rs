//! What the journal asks of the disk; tests put one that fails, or counts, in its place.

use std::{fs::File, io, os::unix::fs::FileExt};

pub(crate) trait Layer: Send + Sync {
    /// Writes at this offset.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    /// Returns when the file's content is on the disk.
    fn sync_data(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    /// Returns when the folder's names are on the disk.
    fn sync_dir(&self, dir: &File) -> io::Result<()> {
        dir.sync_all()
    }
}

/// The machine's disk.
pub(crate) struct Plain;

impl Layer for Plain {}
