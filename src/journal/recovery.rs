//! What a journal finds of the time before: bodies that were committed and not filed stay; whole ones that are given
//! only once are committed; all else is swept.
//!
//! Never: a durable frame unlinked that was not filed; a body committed that a frame refers to, filed or not.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::crypto::key::Key;
use crate::journal::{
    Error, Header,
    frame::{FileId, Kind, decode_reference},
    output::refer,
    segment::{self, FIRST_FRAME, Walk},
    shared::{Account, Segment, Shared},
    spilled,
};

const FILE_PREFIX: &str = "body-";

/// The path of a body's own file.
pub(crate) fn file_path(dir: &Path, id: &FileId) -> PathBuf {
    dir.join(format!("{FILE_PREFIX}{:032x}", u128::from_be_bytes(*id)))
}

/// What a folder holds besides the bodies that are accounted for.
pub(crate) struct Found {
    pub(crate) next_segment: u64,
    pub(crate) orphans: Vec<Orphan>,
}

/// A whole body that is given only once, and that no frame refers to.
pub(crate) struct Orphan {
    id: FileId,
    key: Key,
    header: Header,
    file_bytes: u64,
}

/// Files by what segments say of them.
#[derive(Default)]
struct Referred {
    unfiled: HashSet<FileId>,
    /// Their bodies are filed; the files were about to go.
    filed: HashSet<FileId>,
}

/// Takes stock of the folder.
pub(crate) fn recover(shared: &Shared, filed: u64) -> io::Result<Found> {
    let dir = &shared.dir;
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let (numbers, files) = list(dir)?;
    let mut account = Account { newest: filed, filed, ..Account::default() };
    let mut referred = Referred::default();
    let mut done = Vec::new();
    for number in &numbers {
        if !take_stock(shared, *number, &mut account, &mut referred)? {
            done.push(*number);
        }
    }
    let mut orphans = Vec::new();
    for (path, id) in files {
        if id.is_some_and(|id| referred.unfiled.contains(&id)) {
            continue;
        }
        match id.filter(|id| !referred.filed.contains(id)) {
            Some(id) => match adopt(shared, &path, id)? {
                Some(orphan) => orphans.push(orphan),
                None => fs::remove_file(path)?,
            },
            None => fs::remove_file(path)?,
        }
    }
    // While a segment says of a file that its body is filed, the file is not taken for a body that is to be committed.
    shared.sync_dir()?;
    for number in done {
        fs::remove_file(segment::path(dir, number))?;
    }
    *shared.account() = account;
    Ok(Found { next_segment: numbers.last().map_or(1, |last| last + 1), orphans })
}

/// Commits what was found whole, before anything else is taken.
pub(crate) fn commit(shared: &Shared, orphans: Vec<Orphan>) -> Result<(), Error> {
    for Orphan { id, key, header, file_bytes } in orphans {
        refer(shared, key, header, id, file_bytes)?;
        tracing::info!("a download that was whole when the gateway stopped was taken over");
    }
    Ok(())
}

/// The file's body, where it is whole and given only once; on the disk from here on, whatever the process before did.
fn adopt(shared: &Shared, path: &Path, id: FileId) -> io::Result<Option<Orphan>> {
    let Some((key, header)) = spilled::read_given_once(path, &id, &shared.keyring)? else {
        return Ok(None);
    };
    let file = File::open(path)?;
    shared.sync_data(&file)?;
    Ok(Some(Orphan { id, key, header, file_bytes: file.metadata()?.len() }))
}

/// Counts the segment's bodies that are not filed; returns whether there is one.
fn take_stock(shared: &Shared, number: u64, account: &mut Account, referred: &mut Referred) -> io::Result<bool> {
    let mut walk = Walk::new(&shared.dir, number, FIRST_FRAME)?;
    let length = walk.file().metadata()?.len();
    let mut found = None;
    while let Some(frame) = walk.next(length, &shared.keyring)? {
        let head = frame.head;
        let file = match head.kind {
            Kind::Reference => decode_reference(&frame.content).map(|(_, id)| id),
            Kind::Inline => None,
        };
        // What stands behind a later body was put there by somebody else.
        if head.position > account.newest {
            let mut disk_bytes = frame.disk_bytes();
            if let Some(id) = file {
                referred.unfiled.insert(id);
                disk_bytes += fs::metadata(file_path(&shared.dir, &id)).map_or(0, |file| file.len());
            }
            account.newest = head.position;
            account.bodies += 1;
            account.bytes += disk_bytes;
            account.count_generation(head.generation, 1);
            found = Some(Segment { number, end: frame.end, last: head.position });
        } else {
            referred.filed.extend(file);
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

/// A file with its identifier, where its name is one of a body's own file.
type Named = (PathBuf, Option<FileId>);

/// The numbers of the segments and the bodies' own files, ascending.
fn list(dir: &Path) -> io::Result<(BTreeSet<u64>, BTreeSet<Named>)> {
    let mut numbers = BTreeSet::new();
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if let Some(number) = segment::number(&name) {
            numbers.insert(number);
        } else if let Some(digits) = name.strip_prefix(FILE_PREFIX) {
            let id = u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes);
            files.insert((entry.path(), id.filter(|id| file_path(dir, id) == entry.path())));
        }
    }
    Ok((numbers, files))
}
