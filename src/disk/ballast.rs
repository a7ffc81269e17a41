//! A file that holds nothing but space: released when the disk is full, so that the store opens, purges and audits.
//!
//! Never: made at the cost of the reserve.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{FallocateFlags, fallocate};

use crate::disk::Space;

/// How much space the ballast holds, in bytes.
pub const BALLAST_BYTES: u64 = 16 << 20;

/// The file `ballast` of the data directory.
#[derive(Clone, Debug)]
pub struct Ballast {
    path: PathBuf,
    bytes: u64,
}

impl Ballast {
    /// The ballast of `dir`, of this many bytes; touches nothing yet.
    pub fn new(dir: &Path, bytes: u64) -> Self {
        Self { path: dir.join("ballast"), bytes }
    }

    /// Gives its space back to the disk; returns whether there was any.
    pub fn release(&self) -> io::Result<bool> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Holds the space again, where the disk has it beside the reserve; returns whether it is held.
    pub fn restore(&self, space: &Space) -> io::Result<bool> {
        if fs::metadata(&self.path).is_ok_and(|found| found.len() >= self.bytes) {
            return Ok(true);
        }
        if space.available() < space.reserve_bytes().saturating_add(self.bytes) {
            return Ok(false);
        }
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&self.path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOSPC | rustix::io::Errno::OPNOTSUPP) => {
                self.release()?;
                return Ok(false);
            }
            Err(other) => return Err(other.into()),
        }
        file.sync_all()?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn ballast_holds_real_space_until_released() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::new(dir.path(), 0).unwrap();
        let ballast = Ballast::new(dir.path(), 1 << 20);
        assert!(ballast.restore(&space).unwrap());
        assert!(ballast.restore(&space).unwrap(), "a second time changes nothing");
        assert!(fs::metadata(dir.path().join("ballast")).unwrap().blocks() * 512 >= 1 << 20);
        assert!(ballast.release().unwrap());
        assert!(!ballast.release().unwrap());
        assert!(!dir.path().join("ballast").exists());
    }

    #[test]
    fn ballast_is_not_made_out_of_the_reserve() {
        let dir = tempfile::tempdir().unwrap();
        let space = Space::new(dir.path(), u64::MAX).unwrap();
        assert!(!Ballast::new(dir.path(), 4096).restore(&space).unwrap());
        assert!(!dir.path().join("ballast").exists());
    }
}
