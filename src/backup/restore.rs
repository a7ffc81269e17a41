//! Writing what a backup holds into a data directory that is being restored.
//!
//! Rows of owners without keys in the capsule are left out, and so are the files that only they named: nothing opens
//! them. What else a purge has to take is done by the gateway's next start, as after any crash.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::backup::folder::sync;
use crate::backup::frame::{Fault, Frame, FrameReader, Kind};
use crate::backup::head::{Form, Head};
use crate::backup::purge_log::site_key;
use crate::backup::register::{self, Undone};
use crate::backup::state::{State, audit_file};
use crate::backup::write::{owner_of, refused_file};
use crate::backup::{Failure, capsule};
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::KeysCopy;
use crate::crypto::seal::{Location, open as unseal};
use crate::dataset::manifest::Signer;
use crate::model::id::BlobId;
use crate::model::time::UnixSeconds;
use crate::records::catalog::head_of;
use crate::store::blobs::{Blobs, Draft};
use crate::store::engine::{Batch, Engine, table};

/// Rows are committed so many at a time.
const ROWS_AT_ONCE: usize = 4096;

/// A backup whose capsule is open.
pub struct Opened {
    /// The head.
    pub head: Head,
    /// The keys that are left in it.
    pub keys: KeysCopy,
    file: File,
    head_bytes: Vec<u8>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Of which data directory it was made.
    pub state: State,
    /// Rows.
    pub rows: u64,
    /// Rows that were left out.
    pub rows_left_out: u64,
    /// Files.
    pub files: u64,
    /// Files that were left out.
    pub files_left_out: u64,
}

/// Says in the rows of a restored store that the time since the backup was undone: backups of that time hold keys of
/// owners who are not known here, and whom nobody has purged.
pub fn undo(engine: &dyn Engine, index: &Key, rng: &Rng, since: UnixSeconds, now: UnixSeconds) -> Result<(), Failure> {
    let mut undone = register::undone(engine, index)?;
    undone.push(Undone { from: since, to: now });
    let (key, value) = register::undone_row(&undone, index, rng);
    let mut batch = Batch::default();
    batch.put(key, value);
    Ok(engine.commit(batch)?)
}

/// Opens a backup with the root key.
pub fn open(path: &Path, root: &Key) -> Result<Opened, Failure> {
    let mut file = File::open(path)?;
    let (head, head_bytes) = Head::read(&mut file)?;
    if head.form != Form::Backup {
        return Err(Fault::Foreign.into());
    }
    let keys = capsule::open(&file, &head, root)?.keys;
    if site_key(&Signer::from_seed(&keys.site().signing_seed)) != head.site_key {
        return Err(Fault::Altered(0).into());
    }
    file.seek(SeekFrom::Start(head.frames_at()))?;
    Ok(Opened { head, keys, file, head_bytes })
}

impl Opened {
    /// Writes everything that these keys open: rows into the engine, files and the audit log into the data directory.
    /// Durable on return, and whole: the backup's end was reached and its signature held.
    pub fn write_into(self, dir: &Path, engine: &dyn Engine) -> Result<Written, Failure> {
        let blobs = Blobs::open(&dir.join("blobs"))?;
        let audit = dir.join("audit");
        DirBuilder::new().recursive(true).mode(0o700).create(&audit)?;
        let state = State { format: 0, epoch: 0, software: String::new() };
        let written = Written { state, rows: 0, rows_left_out: 0, files: 0, files_left_out: 0 };
        let Self { head, keys, file, head_bytes } = self;
        let mut frames = FrameReader::new(BufReader::with_capacity(128 * 1024, file), &head, &head_bytes);
        let (batch, named) = (Batch::default(), HashSet::new());
        let mut target = Target { head: &head, keys: &keys, engine, blobs, audit, batch, named, file: None, written };
        while let Some(frame) = frames.read()? {
            target.take(frame)?;
        }
        target.finish()
    }
}

/// The data directory.
struct Target<'a> {
    head: &'a Head,
    keys: &'a KeysCopy,
    engine: &'a dyn Engine,
    blobs: Blobs,
    audit: PathBuf,
    batch: Batch,
    named: HashSet<BlobId>,
    file: Option<(BlobId, Option<Draft>)>,
    written: Written,
}

impl Target<'_> {
    fn take(&mut self, frame: Frame) -> Result<(), Failure> {
        match frame.kind {
            Kind::State => self.written.state = State::decode(&frame.content)?,
            Kind::Row => self.row(frame)?,
            Kind::Audit => self.audit_piece(&frame)?,
            Kind::FilePiece => self.piece(&frame, false)?,
            Kind::FileEnd => self.piece(&frame, true)?,
            Kind::End => {}
        }
        Ok(())
    }

    fn row(&mut self, frame: Frame) -> Result<(), Failure> {
        let Frame { name: key, content: value, .. } = frame;
        let owner = owner_of(&key);
        if let Some(owner) = &owner {
            let Some(keys) = self.keys.owner(owner) else {
                self.written.rows_left_out += 1;
                return Ok(());
            };
            if let Some((.., head)) = head_of(&key, &value, &keys)? {
                self.named.extend(head.files());
            }
        }
        if key.get(16) == Some(&table::QUARANTINE) {
            self.named.extend(refused_file(owner.as_ref(), &key[17..], &value, self.keys));
        }
        self.written.rows += 1;
        self.batch.put(key, value);
        if self.batch.operations.len() >= ROWS_AT_ONCE { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), Failure> {
        Ok(self.engine.commit(std::mem::take(&mut self.batch))?)
    }

    fn audit_piece(&self, frame: &Frame) -> Result<(), Failure> {
        let place = Location { table: "backup audit", owner: self.head.id.as_bytes(), item: &frame.name };
        let bytes = unseal(&self.keys.site().index, place, &frame.content).map_err(|_| Fault::Sealed)?;
        let (name, at) = audit_file(&frame.name).ok_or(Fault::Sealed)?;
        let path = self.audit.join(name);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        file.write_all_at(&bytes, at)?;
        Ok(())
    }

    fn piece(&mut self, frame: &Frame, last: bool) -> Result<(), Failure> {
        let id = frame.name.first_chunk::<16>().map(|id| BlobId::from_bytes(*id)).ok_or(Fault::Sealed)?;
        let mut draft = match self.file.take() {
            Some((begun, draft)) if begun == id => draft,
            Some(_) => return Err(Fault::Sealed.into()),
            None if self.named.contains(&id) => Some(self.blobs.draft(id)?),
            None => None,
        };
        if let Some(draft) = &mut draft {
            draft.write(&frame.content)?;
        }
        match (last, draft) {
            (false, draft) => self.file = Some((id, draft)),
            (true, Some(draft)) => {
                draft.finish()?;
                self.named.remove(&id);
                self.written.files += 1;
            }
            (true, None) => self.written.files_left_out += 1,
        }
        Ok(())
    }

    /// Everything is durable; a row that names a file which was not there is a fault.
    fn finish(mut self) -> Result<Written, Failure> {
        if !self.batch.is_empty() {
            self.commit()?;
        }
        if !self.named.is_empty() || self.file.is_some() {
            return Err(Fault::Sealed.into());
        }
        sync_below(&self.audit)?;
        Ok(self.written)
    }
}

fn sync_below(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        File::open(entry?.path())?.sync_all()?;
    }
    sync(dir)
}
