//! The end of the log: takes a group of entries, chains them, writes them at once, fsyncs once.
//!
//! Never: a second try after a failed write or fsync; an entry of which a part was written counted as none.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::audit::folder::{CURRENT, current, rolled};
use crate::audit::layer::Layer;
use crate::audit::line::{Keys, LineDigest, Wanted, hex};
use crate::audit::opening::Opened;
use crate::audit::tail::Tail;
use crate::audit::{Done, Error};
use crate::disk::Space;
use crate::model::audit::Checkpoint;

/// Space is held in such steps, the longest entry fits one, and a check before an act asks for one.
pub(super) const ROOM_BYTES: u64 = 64 * 1024;

pub(super) struct Writer {
    pub(super) dir: PathBuf,
    pub(super) layer: Arc<dyn Layer>,
    pub(super) space: Arc<Space>,
    pub(super) keys: Keys,
    pub(super) piece_bytes_max: u64,
    folder: File,
    file: File,
    tail: Tail,
    pub(super) offset: u64,
    allocated: u64,
    first: u64,
    next: u64,
    prev: LineDigest,
    failed: Option<Arc<io::Error>>,
}

impl Writer {
    pub(super) fn new(
        dir: PathBuf,
        layer: Arc<dyn Layer>,
        space: Arc<Space>,
        keys: Keys,
        piece_bytes_max: u64,
        opened: Opened,
        tail: Tail,
    ) -> Self {
        let Opened { folder, file, offset, first, next, prev, .. } = opened;
        let (allocated, failed) = (offset, None);
        Self {
            dir,
            layer,
            space,
            keys,
            piece_bytes_max,
            folder,
            file,
            tail,
            offset,
            allocated,
            first,
            next,
            prev,
            failed,
        }
    }

    /// Enters a group; each of its members is told what came of it.
    pub(super) fn commit(&mut self, group: &[&Wanted]) -> Result<Vec<Done>, Error> {
        self.healthy()?;
        if self.offset >= self.piece_bytes_max {
            self.roll().map_err(|cause| self.fail(cause))?;
        }
        let (mut bytes, mut done) = (Vec::new(), Vec::with_capacity(group.len()));
        let (mut next, mut prev) = (self.next, self.prev);
        for wanted in group {
            let mut head = None;
            for event in &wanted.events {
                let line = self.keys.line(next, wanted, event, &prev);
                bytes.extend_from_slice(&line.bytes);
                (next, prev) = (next + 1, line.digest);
                head = line.head.or(head);
            }
            done.push(Done { sequence: next - 1, entries: wanted.events.len() as u64, head });
        }
        self.room(bytes.len() as u64)?;
        let written = self.layer.write_at(&self.file, &bytes, self.offset);
        let written = written.and_then(|()| self.layer.sync(&self.file));
        written.and_then(|()| self.tail.keep(next - 1, &prev)).map_err(|cause| self.fail(cause))?;
        (self.next, self.prev) = (next, prev);
        self.offset += bytes.len() as u64;
        Ok(done)
    }

    /// The last entry, where there is one.
    pub(super) fn end(&self) -> Option<Checkpoint> {
        (self.next > 1).then(|| Checkpoint { sequence: self.next - 1, digest: hex(&self.prev) })
    }

    /// Holds space for so many bytes more, out of the disk's reserve if need be; nothing is written where there is
    /// none.
    pub(super) fn room(&mut self, bytes: u64) -> Result<(), Error> {
        self.healthy()?;
        if self.offset + bytes <= self.allocated {
            return Ok(());
        }
        let wanted = bytes.max(ROOM_BYTES);
        self.space.reserve().grow_control(wanted).map_err(|_| Error::DiskLow)?;
        match self.layer.allocate(&self.file, self.offset, wanted) {
            Ok(()) => {
                self.allocated = self.offset + wanted;
                Ok(())
            }
            Err(cause) if cause.kind() == io::ErrorKind::StorageFull => Err(Error::DiskLow),
            Err(cause) => Err(self.fail(cause)),
        }
    }

    /// The file gets its name as an older piece, and the next one begins.
    fn roll(&mut self) -> io::Result<()> {
        fs::rename(self.dir.join(CURRENT), rolled(&self.dir, self.first))?;
        self.file = current(&self.dir, &self.folder)?;
        (self.offset, self.allocated, self.first) = (0, 0, self.next);
        Ok(())
    }

    fn healthy(&self) -> Result<(), Error> {
        self.failed.as_ref().map_or(Ok(()), |cause| Err(Error::Failed(Arc::clone(cause))))
    }

    /// What the disk holds is only known again after a restart.
    fn fail(&mut self, cause: io::Error) -> Error {
        let cause = Arc::new(cause);
        self.failed = Some(Arc::clone(&cause));
        Error::Failed(cause)
    }
}
