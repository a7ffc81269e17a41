//! Which of a database's folders counts.
//!
//! ```text
//! db            the first generation
//! db.2, db.3 …  later ones, each written whole and fsynced before it counts
//! db.current    one line, the number of the folder that counts; without it the first does
//! ```
//! The pointer is written beside, fsynced, renamed, and its folder fsynced: at any moment one generation counts. What
//! does not count is removed at the next start.
//!
//! Never: a pointer that leads elsewhere; an empty database in the place of one that is missing.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The folder that counts of the database whose first one is `base`.
pub(super) fn current(base: &Path) -> io::Result<PathBuf> {
    let text = match fs::read_to_string(beside(base, "current")) {
        Ok(text) => text,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(base.to_owned()),
        Err(other) => return Err(other),
    };
    let named = text.trim_end().parse::<u64>().ok().filter(|number| *number > 1);
    let number = named.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "db.current names no database; restore it from a backup")
    })?;
    let found = beside(base, &number.to_string());
    // An empty database made in its place would pass for one without data.
    if found.is_dir() {
        Ok(found)
    } else {
        Err(io::Error::new(io::ErrorKind::NotFound, "the database that db.current names is gone; restore a backup"))
    }
}

/// The folder of the generation after the one in `current`.
pub(super) fn next(base: &Path, current: &Path) -> PathBuf {
    beside(base, &(number(base, current).unwrap_or(1) + 1).to_string())
}

/// From the return on, the generation in `dir` counts.
pub(super) fn point(base: &Path, dir: &Path) -> io::Result<()> {
    let number = number(base, dir).ok_or_else(|| io::Error::other("a generation has a number"))?;
    sync_folder(folder(base))?;
    let draft = beside(base, "current.new");
    let mut file = File::create(&draft)?;
    writeln!(file, "{number}")?;
    file.sync_all()?;
    fs::rename(&draft, beside(base, "current"))?;
    sync_folder(folder(base))
}

/// Removes the folders of other generations than the one in `current`.
pub(super) fn remove_others(base: &Path, current: &Path) -> io::Result<()> {
    let mut removed = false;
    for entry in fs::read_dir(folder(base))? {
        let path = entry?.path();
        if path != current && path.is_dir() && number(base, &path).is_some() {
            fs::remove_dir_all(&path)?;
            removed = true;
        }
    }
    if removed { sync_folder(folder(base)) } else { Ok(()) }
}

/// Fsyncs every file and folder below.
pub(super) fn sync_all(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_all(&path)?;
        } else {
            File::open(&path)?.sync_all()?;
        }
    }
    sync_folder(dir)
}

/// Which generation a path is the folder of.
fn number(base: &Path, path: &Path) -> Option<u64> {
    if path == base {
        return Some(1);
    }
    let name = path.file_name()?.to_str()?;
    let number = name.strip_prefix(base.file_name()?.to_str()?)?.strip_prefix('.')?;
    number.parse().ok().filter(|number: &u64| *number > 1 && beside(base, &number.to_string()) == path)
}

fn beside(base: &Path, ending: &str) -> PathBuf {
    let mut name = base.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".");
    name.push(ending);
    base.with_file_name(name)
}

fn folder(base: &Path) -> &Path {
    base.parent().unwrap_or(Path::new("/"))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_generation_counts_until_the_pointer_names_another() {
        let dir = tempfile::tempdir().expect("a folder");
        let base = dir.path().join("db");
        assert_eq!(current(&base).expect("read"), base);
        let second = next(&base, &base);
        assert_eq!(second, dir.path().join("db.2"));
        fs::create_dir(&second).expect("made");
        point(&base, &second).expect("pointed");
        assert_eq!(current(&base).expect("read"), second);
        assert_eq!(next(&base, &second), dir.path().join("db.3"));
    }

    #[test]
    fn only_other_generations_are_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let base = dir.path().join("db");
        for name in ["db", "db.2", "db.3", "db.03", "db.x", "blobs", "database"] {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
        remove_others(&base, &dir.path().join("db.3")).expect("removed");
        let left = |name: &str| dir.path().join(name).exists();
        assert!(!left("db") && !left("db.2"));
        assert!(["db.3", "db.03", "db.x", "blobs", "database"].iter().all(|name| left(name)));
    }

    #[test]
    fn pointer_to_nothing_or_elsewhere_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let base = dir.path().join("db");
        fs::create_dir(&base).expect("made");
        for text in ["", "1\n", "../x\n", "db.2\n", "2\n"] {
            fs::write(dir.path().join("db.current"), text).expect("written");
            assert!(current(&base).is_err(), "{text:?}");
        }
    }
}
