//! What a journal finds of the time before: bodies that were committed and not filed stay, all else is swept.
//!
//! Never: a durable frame unlinked that was not filed.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::journal::{
    frame::{FileId, Kind, decode_reference},
    segment::{self, FIRST_FRAME, Walk},
    shared::{Account, Segment, Shared},
};

const FILE_PREFIX: &str = "body-";

/// The path of a body's own file.
pub(crate) fn file_path(dir: &Path, id: &FileId) -> PathBuf {
    dir.join(format!("{FILE_PREFIX}{:032x}", u128::from_be_bytes(*id)))
}

/// Takes stock of the folder; returns the number of the next segment.
pub(crate) fn recover(shared: &Shared, filed: u64) -> io::Result<u64> {
    let dir = &shared.dir;
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let (numbers, files) = list(dir)?;
    let mut account = Account { newest: filed, filed, ..Account::default() };
    let mut kept = HashSet::new();
    for number in &numbers {
        if !take_stock(shared, *number, &mut account, &mut kept)? {
            fs::remove_file(segment::path(dir, *number))?;
        }
    }
    for file in files.difference(&kept.iter().map(|id| file_path(dir, id)).collect()) {
        fs::remove_file(file)?;
    }
    shared.sync_dir()?;
    *shared.account() = account;
    Ok(numbers.last().map_or(1, |last| last + 1))
}

/// Counts the segment's bodies that are not filed; returns whether there is one.
fn take_stock(shared: &Shared, number: u64, account: &mut Account, kept: &mut HashSet<FileId>) -> io::Result<bool> {
    let mut walk = Walk::new(&shared.dir, number, FIRST_FRAME)?;
    let length = walk.file().metadata()?.len();
    let mut found = None;
    while let Some(frame) = walk.next(length, &shared.keyring)? {
        let head = frame.head;
        // What stands behind a later body was put there by somebody else.
        if head.position > account.newest {
            let mut disk_bytes = frame.disk_bytes();
            if head.kind == Kind::Reference
                && let Some((_, id)) = decode_reference(&frame.content)
            {
                kept.insert(id);
                disk_bytes += fs::metadata(file_path(&shared.dir, &id)).map_or(0, |file| file.len());
            }
            account.newest = head.position;
            account.bodies += 1;
            account.bytes += disk_bytes;
            account.count_generation(head.generation, 1);
            found = Some(Segment { number, end: frame.end, last: head.position });
        }
    }
    let Some(segment) = found else {
        return Ok(false);
    };
    // The process may have died between write and fsync: what is delivered from here on is durable all the same.
    shared.sync_data(walk.file())?;
    account.segments.push_back(segment);
    Ok(true)
}

/// The numbers of the segments, ascending, and the bodies' own files.
fn list(dir: &Path) -> io::Result<(BTreeSet<u64>, HashSet<PathBuf>)> {
    let mut numbers = BTreeSet::new();
    let mut files = HashSet::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(number) = segment::number(&name) {
            numbers.insert(number);
        } else if name.starts_with(FILE_PREFIX) {
            files.insert(entry.path());
        }
    }
    Ok((numbers, files))
}
