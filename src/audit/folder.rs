//! The files of the log: `log` is written to; the older pieces are named after their first entry.
//!
//! ```text
//! log.000000000001  log.000000031416  log
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file that is written to.
pub(super) const CURRENT: &str = "log";

/// A file of the log, in the order of the log.
#[derive(Debug)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// Opened for reading.
    pub file: File,
    /// How much of it is read, in bytes.
    pub length: u64,
    /// The first entry in it, where its name says so.
    pub first: Option<u64>,
}

/// The pieces of a log in this folder, or the one file that is named.
pub fn pieces(path: &Path) -> io::Result<Vec<Piece>> {
    if !path.is_dir() {
        return Ok(vec![piece(path)?]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let path = entry?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name == CURRENT || first_of(name).is_some())
        {
            found.push(piece(&path)?);
        }
    }
    found.sort_by_key(|piece| piece.first.unwrap_or(u64::MAX));
    Ok(found)
}

/// The name of an older piece whose first entry this is.
pub(super) fn rolled(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{CURRENT}.{first:012}"))
}

/// The folder, made where it is missing.
pub(super) fn make(dir: &Path) -> io::Result<File> {
    if !dir.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        File::open(dir.parent().unwrap_or(dir))?.sync_all()?;
    }
    File::open(dir)
}

/// The file that is written to, made where it is missing, its name durable.
pub(super) fn current(dir: &Path, folder: &File) -> io::Result<File> {
    let file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(dir.join(CURRENT))?;
    folder.sync_all()?;
    Ok(file)
}

fn piece(path: &Path) -> io::Result<Piece> {
    let file = File::open(path)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Piece { length: file.metadata()?.len(), first: first_of(&name), name, file })
}

fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(CURRENT)?.strip_prefix('.')?;
    (digits.len() >= 12 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}
