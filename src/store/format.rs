//! The data directory: its version mark and its lock.
//!
//! `FORMAT` holds one line, `studygate 2`. A version of the program reads its own format and the one before, and refuses
//! a newer one.
//!
//! | format | what came with it |
//! |---|---|
//! | 1 | the first |
//! | 2 | bodies in the journal that answer a ping or hold a file; rows of pings that name user and place; permissions with the time of their arrival |
//!
//! A directory of format 1 is marked 2 when it is opened, before anything new is written; what it holds stays as it is,
//! and is read as it was written.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

/// The format this version writes.
pub const FORMAT: u32 = 2;
/// The file whose lock says that a process has the directory open.
pub const LOCK: &str = "lock";
/// The oldest format this version reads.
const FORMAT_OLDEST: u32 = 1;

/// What a data directory has once the gateway has opened it.
const HOLDS_DATA: [&str; 3] = ["keyring", "db", RESTORING];
/// Says that a directory is being restored, until its mark stands.
const RESTORING: &str = "restoring";
/// Everything that a data directory may hold beside its mark and lock; of `db`, every generation.
const PARTS: [&str; 9] = ["acme", "keyring", "db", "audit", "blobs", "journal", "ballast", "FORMAT.new", RESTORING];

/// Keeps other processes out of the data directory until dropped.
#[derive(Debug)]
pub struct DataDirectory {
    _lock: File,
}

/// Why a data directory must not be touched.
#[derive(Debug)]
pub enum Error {
    /// Another process has it open.
    Locked,
    /// It was written by a newer version, of this format.
    Newer(u32),
    /// Its `FORMAT` file is no version mark, or is gone though there are data.
    Unmarked,
    /// It is to be restored into, but holds data.
    Occupied,
    /// Reading or writing failed.
    Io(io::Error),
}

/// A directory that is being restored: until it is finished, nothing opens it as one that holds data.
#[derive(Debug)]
pub struct Claim {
    lock: File,
    dir: PathBuf,
}

impl Claim {
    /// Claims an empty directory, or one in which a restore was cut short, whose remains are removed.
    pub fn new(dir: &Path) -> Result<Claim, Error> {
        fs::create_dir_all(dir).map_err(Error::Io)?;
        let lock = lock(dir)?;
        let claim = Claim { lock, dir: dir.to_owned() };
        if dir.join("FORMAT").exists() {
            return Err(Error::Occupied);
        }
        let parts = claim.parts().map_err(Error::Io)?;
        if !parts.is_empty() && !dir.join(RESTORING).exists() {
            return Err(Error::Occupied);
        }
        claim.begin(&parts).map_err(Error::Io)?;
        Ok(claim)
    }

    /// The directory holds data of this format from here on.
    pub fn finish(self, format: u32) -> io::Result<DataDirectory> {
        File::open(&self.dir)?.sync_all()?;
        write_mark(&self.dir, format)?;
        fs::remove_file(self.dir.join(RESTORING))?;
        File::open(&self.dir)?.sync_all()?;
        Ok(DataDirectory { _lock: self.lock })
    }

    /// Removes what was written, so that the directory is as empty as before.
    pub fn abandon(self) -> io::Result<()> {
        self.remove(&self.parts()?)?;
        fs::remove_file(self.dir.join(RESTORING))
    }

    fn begin(&self, remains: &[PathBuf]) -> io::Result<()> {
        File::create(self.dir.join(RESTORING))?.sync_all()?;
        File::open(&self.dir)?.sync_all()?;
        self.remove(remains)
    }

    fn remove(&self, parts: &[PathBuf]) -> io::Result<()> {
        for part in parts.iter().filter(|part| !part.ends_with(RESTORING)) {
            if part.is_dir() { fs::remove_dir_all(part) } else { fs::remove_file(part) }?;
        }
        File::open(&self.dir)?.sync_all()
    }

    fn parts(&self) -> io::Result<Vec<PathBuf>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if PARTS.contains(&name) || name.starts_with("db.") {
                parts.push(path);
            }
        }
        Ok(parts)
    }
}

impl DataDirectory {
    /// Locks the directory and checks its mark; an empty or missing one is made and marked. One that holds data and no
    /// mark is refused: nobody can say what its data are.
    pub fn open(dir: &Path) -> Result<DataDirectory, Error> {
        fs::create_dir_all(dir).map_err(Error::Io)?;
        let lock = lock(dir)?;
        let mark = dir.join("FORMAT");
        match fs::read_to_string(&mark) {
            Ok(text) => {
                if check(&text)? < FORMAT {
                    write_mark(dir, FORMAT).map_err(Error::Io)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if HOLDS_DATA.iter().any(|name| dir.join(name).exists()) {
                    return Err(Error::Unmarked);
                }
                write_mark(dir, FORMAT).map_err(Error::Io)?;
            }
            Err(error) => return Err(Error::Io(error)),
        }
        Ok(DataDirectory { _lock: lock })
    }
}

/// The format of this mark, where this version reads it.
fn check(text: &str) -> Result<u32, Error> {
    let version = text.strip_prefix("studygate ").and_then(|rest| rest.trim_end().parse::<u32>().ok());
    match version {
        Some(version @ FORMAT_OLDEST..=FORMAT) => Ok(version),
        Some(version) if version > FORMAT => Err(Error::Newer(version)),
        Some(_) | None => Err(Error::Unmarked),
    }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let lock = File::options().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(Error::Io)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(lock),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Locked),
        Err(errno) => Err(Error::Io(errno.into())),
    }
}

fn write_mark(dir: &Path, format: u32) -> io::Result<()> {
    let draft = dir.join("FORMAT.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "studygate {format}")?;
    file.sync_all()?;
    fs::rename(&draft, dir.join("FORMAT"))?;
    File::open(dir)?.sync_all()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("another studygate has the data directory open; stop it first"),
            Self::Newer(version) => {
                write!(
                    f,
                    "the data directory has format {version}, this version reads up to {FORMAT}; install the newer version"
                )
            }
            Self::Unmarked => f.write_str(
                "the FORMAT file of the data directory is missing or no version mark; restore it from a backup",
            ),
            Self::Occupied => f.write_str("it holds data already; name an empty data_dir, or move what is there away"),
            Self::Io(cause) => write!(f, "the data directory cannot be used: {cause}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_format_is_refused_in_one_sentence() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("FORMAT"), "studygate 7\n").expect("written");
        let error = DataDirectory::open(dir.path()).expect_err("refused");
        assert!(matches!(error, Error::Newer(7)));
    }

    #[test]
    fn data_without_a_mark_are_refused_and_an_empty_folder_is_marked() {
        let dir = tempfile::tempdir().expect("a folder");
        drop(DataDirectory::open(dir.path()).expect("marked"));
        assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).expect("a mark"), "studygate 2\n");
        fs::create_dir(dir.path().join("keyring")).expect("a folder");
        drop(DataDirectory::open(dir.path()).expect("the mark stands"));
        for damaged in [None, Some(""), Some("1"), Some("studygate"), Some("studygate 0")] {
            fs::remove_file(dir.path().join("FORMAT")).expect("removed");
            if let Some(text) = damaged {
                fs::write(dir.path().join("FORMAT"), text).expect("written");
            }
            let refused = DataDirectory::open(dir.path());
            assert!(matches!(refused, Err(Error::Unmarked)), "{damaged:?}");
            fs::write(dir.path().join("FORMAT"), "studygate 1\n").expect("written");
        }
    }

    #[test]
    fn format_before_is_opened_and_marked_as_this_one() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("FORMAT"), "studygate 1\n").expect("written");
        drop(DataDirectory::open(dir.path()).expect("opened"));
        assert_eq!(fs::read_to_string(dir.path().join("FORMAT")).expect("a mark"), "studygate 2\n");
    }

    #[test]
    fn claimed_directory_is_none_that_holds_data_until_it_is_finished() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("root.key"), "").expect("written");
        let claim = Claim::new(dir.path()).expect("claimed");
        assert!(matches!(Claim::new(dir.path()), Err(Error::Locked)));
        drop(claim);
        assert!(matches!(DataDirectory::open(dir.path()), Err(Error::Unmarked)), "cut short before anything");
        fs::create_dir_all(dir.path().join("db.2/x")).expect("written");
        let claim = Claim::new(dir.path()).expect("claimed again");
        assert!(!dir.path().join("db.2").exists());
        fs::create_dir(dir.path().join("keyring")).expect("a folder");
        drop(claim.finish(2).expect("finished"));
        drop(DataDirectory::open(dir.path()).expect("opened"));
        assert!(matches!(Claim::new(dir.path()), Err(Error::Occupied)));
        fs::remove_file(dir.path().join("FORMAT")).expect("removed");
        assert!(matches!(Claim::new(dir.path()), Err(Error::Occupied)));
        assert!(dir.path().join("root.key").exists());
    }

    #[test]
    fn second_opener_is_refused_while_the_first_lives() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = DataDirectory::open(dir.path()).expect("opened");
        assert!(matches!(DataDirectory::open(dir.path()), Err(Error::Locked)));
        drop(first);
        DataDirectory::open(dir.path()).expect("opened again");
    }
}
