//! Space on the data disk: what is free beyond the reserve, promised to bodies before they are written; the ballast.
//!
//! Never: a promise that eats into the reserve, but for control bodies; a promise the disk cannot keep.
//!
//! Free space is read at most once a second. Between two readings everything promised counts as used, also what was
//! given back: an account that is a little too dark refuses a body, one that is too bright loses it.

mod ballast;

use std::{
    fmt,
    fs::File,
    io,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::fs::{fstatfs, fstatvfs};

pub use ballast::{BALLAST_BYTES, Ballast};

/// Free space is not read again before this time.
const READING_VALID: Duration = Duration::from_secs(1);
/// What control bodies leave free, in bytes: a full disk takes no segment, no directory entry, no keyring.
const CONTROL_FLOOR_BYTES: u64 = 2 << 20;

/// Counts free space and promises.
pub struct Space {
    probe: Box<dyn Probe>,
    reserve: u64,
    account: Mutex<Account>,
}

/// Where free space and the time come from.
trait Probe: Send + Sync {
    /// Bytes an unprivileged process may still write.
    fn free(&self) -> io::Result<u64>;

    /// Time since some fixed point.
    fn elapsed(&self) -> Duration;
}

/// A promise of space; given back when dropped.
pub struct Reservation {
    space: Arc<Space>,
    promised: u64,
}

/// The disk is under its reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskLow;

impl fmt::Display for DiskLow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk is under its reserve; free space on it")
    }
}

impl std::error::Error for DiskLow {}

#[derive(Default)]
struct Account {
    read_at: Option<Duration>,
    /// At the last reading, less what was given back since.
    free: u64,
    promised: u64,
}

impl Space {
    /// The disk that holds `dir`, of which `reserve` bytes are not promised to anybody.
    pub fn new(dir: &Path, reserve: u64) -> io::Result<Arc<Space>> {
        let disk = Disk { dir: File::open(dir)?, started: Instant::now() };
        disk.free()?;
        Ok(Self::of(Box::new(disk), reserve))
    }

    fn of(probe: Box<dyn Probe>, reserve: u64) -> Arc<Space> {
        Arc::new(Space { probe, reserve, account: Mutex::default() })
    }

    /// A promise of nothing yet, to be [grown](Reservation::grow).
    pub fn reserve(self: &Arc<Self>) -> Reservation {
        Reservation { space: self.clone(), promised: 0 }
    }

    /// Free bytes that are not promised; read from the file system at most once a second, 0 where that fails.
    pub fn available(&self) -> u64 {
        self.account().available()
    }

    /// Bytes of the reserve.
    pub fn reserve_bytes(&self) -> u64 {
        self.reserve
    }

    /// Whether free space is under the reserve.
    pub fn is_low(&self) -> bool {
        self.available() < self.reserve
    }

    fn promise(&self, bytes: u64, untouched: u64) -> Result<(), DiskLow> {
        let mut account = self.account();
        let left = account.available().checked_sub(bytes).ok_or(DiskLow)?;
        if left < untouched {
            return Err(DiskLow);
        }
        account.promised += bytes;
        Ok(())
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = self.probe.elapsed();
        if account.read_at.is_none_or(|read_at| elapsed.saturating_sub(read_at) >= READING_VALID) {
            account.free = self.probe.free().unwrap_or(0);
            account.read_at = Some(elapsed);
        }
        account
    }
}

impl Account {
    fn available(&self) -> u64 {
        self.free.saturating_sub(self.promised)
    }
}

impl Reservation {
    /// Adds this many bytes to the promise, or says that the disk is under its reserve.
    pub fn grow(&mut self, bytes: u64) -> Result<(), DiskLow> {
        self.grow_leaving(bytes, self.space.reserve)
    }

    /// Adds this many bytes, out of the reserve if need be: for small bodies of control items alone.
    pub fn grow_control(&mut self, bytes: u64) -> Result<(), DiskLow> {
        self.grow_leaving(bytes, self.space.reserve.min(CONTROL_FLOOR_BYTES))
    }

    fn grow_leaving(&mut self, bytes: u64, untouched: u64) -> Result<(), DiskLow> {
        self.space.promise(bytes, untouched)?;
        self.promised += bytes;
        Ok(())
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut account = self.space.account.lock().unwrap_or_else(PoisonError::into_inner);
        account.promised -= self.promised;
        account.free = account.free.saturating_sub(self.promised);
    }
}

/// Whether the file system of `dir` writes changed blocks elsewhere, so that overwriting a file destroys nothing
/// (btrfs, zfs, bcachefs).
pub fn copies_on_write(dir: &Path) -> io::Result<bool> {
    Ok(probe(dir)?.copies_on_write)
}

/// A file system, as the system tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Bytes an unprivileged process may still write.
    pub available: u64,
    /// Its number (`linux/magic.h`).
    pub kind: i64,
    /// Whether it writes changed blocks elsewhere.
    pub copies_on_write: bool,
}

/// The file system that holds `dir`.
pub fn probe(dir: &Path) -> io::Result<FileSystem> {
    const BTRFS: i64 = 0x9123_683E;
    const ZFS: i64 = 0x2FC1_2FC1;
    const BCACHEFS: i64 = 0xCA45_1A4E;
    let dir = File::open(dir)?;
    // The field's width differs between targets.
    let kind = fstatfs(&dir)?.f_type as i64 & 0xFFFF_FFFF;
    let copies_on_write = [BTRFS, ZFS, BCACHEFS].contains(&kind);
    Ok(FileSystem { available: free(&dir)?, kind, copies_on_write })
}

fn free(dir: &File) -> io::Result<u64> {
    let disk = fstatvfs(dir)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

struct Disk {
    dir: File,
    started: Instant,
}

impl Probe for Disk {
    fn free(&self) -> io::Result<u64> {
        free(&self.dir)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    const MIB: u64 = 1 << 20;

    #[derive(Default)]
    struct Fake {
        free: AtomicU64,
        millis: AtomicU64,
        readings: AtomicU64,
    }

    impl Probe for Arc<Fake> {
        fn free(&self) -> io::Result<u64> {
            self.readings.fetch_add(1, Ordering::SeqCst);
            Ok(self.free.load(Ordering::SeqCst))
        }

        fn elapsed(&self) -> Duration {
            Duration::from_millis(self.millis.load(Ordering::SeqCst))
        }
    }

    fn disk(free: u64, reserve: u64) -> (Arc<Fake>, Arc<Space>) {
        let fake = Arc::new(Fake::default());
        fake.free.store(free, Ordering::SeqCst);
        (fake.clone(), Space::of(Box::new(fake), reserve))
    }

    #[test]
    fn promises_end_at_the_reserve() {
        let (_, space) = disk(10 * MIB, 4 * MIB);
        let (mut one, mut other) = (space.reserve(), space.reserve());
        assert_eq!(one.grow(4 * MIB), Ok(()));
        assert_eq!(other.grow(2 * MIB), Ok(()));
        assert_eq!(other.grow(1), Err(DiskLow));
        assert!(!space.is_low());
        assert_eq!(space.available(), 4 * MIB);
    }

    #[test]
    fn control_bodies_may_use_the_reserve_but_not_a_full_disk() {
        let (_, space) = disk(5 * MIB, 100 * MIB);
        let mut body = space.reserve();
        assert!(space.is_low());
        assert_eq!(body.grow(1), Err(DiskLow));
        assert_eq!(body.grow_control(3 * MIB), Ok(()));
        assert_eq!(body.grow_control(1), Err(DiskLow));
    }

    #[test]
    fn space_given_back_counts_as_used_until_the_next_reading() {
        let (fake, space) = disk(10 * MIB, 0);
        let mut body = space.reserve();
        body.grow(6 * MIB).unwrap();
        drop(body);
        assert_eq!(space.available(), 4 * MIB);
        fake.millis.store(1000, Ordering::SeqCst);
        assert_eq!(space.available(), 10 * MIB);
    }

    #[test]
    fn file_system_is_read_once_a_second() {
        let (fake, space) = disk(10 * MIB, 0);
        for _ in 0..100 {
            space.available();
            space.reserve().grow(1).unwrap();
        }
        assert_eq!(fake.readings.load(Ordering::SeqCst), 1);
        fake.free.store(3 * MIB, Ordering::SeqCst);
        fake.millis.store(999, Ordering::SeqCst);
        assert!(space.available() > 3 * MIB);
        fake.millis.store(1000, Ordering::SeqCst);
        assert_eq!(space.available(), 3 * MIB);
    }

    #[test]
    fn real_disk_answers() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Space::new(dir.path(), 0).unwrap().available() > 0);
        assert!(Space::new(&dir.path().join("absent"), 0).is_err());
        copies_on_write(dir.path()).unwrap();
    }
}
