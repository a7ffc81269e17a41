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
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

/// The format this version writes.
pub const FORMAT: u32 = 2;
/// The oldest format this version reads.
const FORMAT_OLDEST: u32 = 1;

/// What a data directory has once the gateway has opened it.
const HOLDS_DATA: [&str; 2] = ["keyring", "db"];

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
    /// Reading or writing failed.
    Io(io::Error),
}

impl DataDirectory {
    /// Locks the directory and checks its mark; an empty or missing one is made and marked. One that holds data and no
    /// mark is refused: nobody can say what its data are.
    pub fn open(dir: &Path) -> Result<DataDirectory, Error> {
        fs::create_dir_all(dir).map_err(Error::Io)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(dir.join("lock")).map_err(Error::Io)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(Error::Locked),
            Err(errno) => return Err(Error::Io(errno.into())),
        }
        let mark = dir.join("FORMAT");
        match fs::read_to_string(&mark) {
            Ok(text) => {
                if check(&text)? < FORMAT {
                    write_mark(dir).map_err(Error::Io)?;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if HOLDS_DATA.iter().any(|name| dir.join(name).exists()) {
                    return Err(Error::Unmarked);
                }
                write_mark(dir).map_err(Error::Io)?;
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

fn write_mark(dir: &Path) -> io::Result<()> {
    let draft = dir.join("FORMAT.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "studygate {FORMAT}")?;
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
    fn second_opener_is_refused_while_the_first_lives() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = DataDirectory::open(dir.path()).expect("opened");
        assert!(matches!(DataDirectory::open(dir.path()), Err(Error::Locked)));
        drop(first);
        DataDirectory::open(dir.path()).expect("opened again");
    }
}
