//! The disk of the data directory: what is free, what it is, and whether a process holds the directory.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::disk;
use crate::doctor::facts::{DiskFacts, DiskKind, Look};
use crate::doctor::look::files::of;
use crate::store::format::LOCK;

const LOCKS: &str = "/proc/locks";
/// `statfs`'s numbers of file systems (linux/magic.h).
const OVERLAY: i64 = 0x794C_7630;
const MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58F6];
/// NFS, SMB 1, CIFS, SMB 2, 9p, Ceph, AFS, FUSE (which may be anything; sshfs, most often).
const NETWORK: [i64; 8] =
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x0102_1997, 0x00C3_6400, 0x5346_414F, 0x6573_5546];

/// What is to be said of the disk; where the directory is not there yet, of the nearest folder above it.
pub(super) fn look(dir: &Path) -> Look<DiskFacts> {
    let Some(there) = dir.ancestors().find(|dir| dir.exists()) else { return Look::Absent };
    match disk::probe(there) {
        Ok(found) => {
            Look::Seen(DiskFacts { available: found.available, kind: kind(found.kind, found.copies_on_write) })
        }
        Err(error) => of(&error),
    }
}

fn kind(number: i64, copies_on_write: bool) -> DiskKind {
    match number {
        _ if copies_on_write => DiskKind::CopyOnWrite,
        OVERLAY => DiskKind::Overlay,
        number if MEMORY.contains(&number) => DiskKind::Memory,
        number if NETWORK.contains(&number) => DiskKind::Network,
        _ => DiskKind::Plain,
    }
}

/// Whether a process holds the directory. The kernel's list is read: to try the lock would keep a gateway from starting.
pub(super) fn is_held(dir: &Path) -> Look<bool> {
    let lock = match fs::metadata(dir.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) => return of(&error),
    };
    let locks = match fs::read_to_string(LOCKS) {
        Ok(locks) => locks,
        Err(error) => return of(&error),
    };
    let (major, minor) = (rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
    Look::Seen(names(&locks, &format!("{major:02x}:{minor:02x}:{}", lock.ino())))
}

/// Whether the list has this `major:minor:inode`.
fn names(locks: &str, wanted: &str) -> bool {
    locks.lines().any(|line| line.split_whitespace().any(|field| field == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_are_told_apart_by_their_numbers() {
        let cases = [
            (0xEF53, false, DiskKind::Plain),
            (0x9123_683E, true, DiskKind::CopyOnWrite),
            (0x794C_7630, false, DiskKind::Overlay),
            (0x6969, false, DiskKind::Network),
            (0x6573_5546, false, DiskKind::Network),
            (0x0102_1994, false, DiskKind::Memory),
        ];
        for (number, copies, expected) in cases {
            assert_eq!(kind(number, copies), expected, "{number:x}");
        }
    }

    #[test]
    fn lock_is_found_in_the_kernels_list_by_its_inode() {
        let locks =
            "1: FLOCK  ADVISORY  WRITE 12623 fe:00:7069768 0 EOF\n2: -> FLOCK ADVISORY WRITE 3 fe:00:70 0 EOF\n";
        assert!(names(locks, "fe:00:7069768"));
        assert!(!names(locks, "fe:00:706976"));
    }

    #[test]
    fn directory_is_held_while_a_gateway_has_it_and_looking_at_it_locks_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        assert_eq!(is_held(dir.path()), Look::Absent);
        let held = crate::store::format::DataDirectory::open(dir.path()).expect("opened");
        assert_eq!(is_held(dir.path()), Look::Seen(true));
        drop(held);
        assert_eq!(is_held(dir.path()), Look::Seen(false));
        crate::store::format::DataDirectory::open(dir.path()).expect("nobody holds it");
    }
}
