//! What tells one version of a certificate's two files from another, without reading them.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use crate::tls::files::Files;

/// What tells one version of the two files from another. Links are followed, so that a link that leads elsewhere is a
/// change, as is a file whose content was written with its old time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<Version>; 2]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    bytes: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    /// The files as they are at this moment; a file that is not there is a version, too.
    pub(super) fn of(files: &Files) -> Self {
        Self([version(&files.certificate), version(&files.private_key)])
    }
}

fn version(path: &Path) -> Option<Version> {
    let meta = fs::metadata(path).ok()?;
    Some(Version {
        device: meta.dev(),
        inode: meta.ino(),
        bytes: meta.len(),
        written: (meta.mtime(), meta.mtime_nsec()),
        changed: (meta.ctime(), meta.ctime_nsec()),
    })
}
