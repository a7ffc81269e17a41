//! Space on the data disk: what is free beyond the reserve, promised to bodies before they are written; the ballast.

use std::{path::Path, sync::Arc};

/// Counts free space and promises.
pub struct Space {}

/// A promise of space; given back when dropped.
pub struct Reservation {}

/// The disk is under its reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLow;

impl Space {
    /// The disk that holds `dir`, of which `reserve` bytes are not promised to anybody.
    pub fn new(dir: &Path, reserve: u64) -> std::io::Result<Arc<Space>> {
        let _ = (dir, reserve);
        unimplemented!("journal helper")
    }

    /// A promise of nothing yet, to be [grown](Reservation::grow).
    pub fn reserve(self: &Arc<Self>) -> Reservation {
        unimplemented!("journal helper")
    }

    /// Free bytes, and whether they are under the reserve; read from the file system at most once a second.
    pub fn available(&self) -> u64 {
        unimplemented!("journal helper")
    }

    /// Whether free space is under the reserve.
    pub fn is_low(&self) -> bool {
        unimplemented!("journal helper")
    }
}

impl Reservation {
    /// Adds this many bytes to the promise, or says that the disk is under its reserve.
    pub fn grow(&mut self, bytes: u64) -> Result<(), DiskLow> {
        let _ = bytes;
        unimplemented!("journal helper")
    }
}
