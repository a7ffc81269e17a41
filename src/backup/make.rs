//! Making a backup: into the folder, or into whatever output it is handed out through.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::PoisonError;

use crate::backup::folder::{Found, sync};
use crate::backup::head::{Form, Head};
use crate::backup::purge_log::site_key;
use crate::backup::register::Made;
use crate::backup::write::{Source, content};
use crate::backup::{Backups, Failure, capsule};
use crate::crypto::key::random;
use crate::crypto::keyring::KeysCopy;
use crate::dataset::manifest::Signer;
use crate::disk::{Reservation, Space};
use crate::model::id::BackupId;
use crate::model::time::UnixSeconds;
use crate::store::snapshot::Snapshot;

/// A moment that cannot be had any more is tried again so often.
const TRIES: usize = 3;
/// Room on the disk is asked for in such steps, in bytes.
const ROOM_STEP_BYTES: u64 = 4 << 20;

impl Backups {
    /// Makes a backup in the folder; whole, durable and registered on return.
    pub fn make(&self, source: &Source) -> Result<Made, Failure> {
        let mut tried = 0;
        loop {
            tried += 1;
            match self.try_make(source) {
                Err(Failure::Overtaken) if tried < TRIES => {}
                done => return done,
            }
        }
    }

    /// A backup that is about to be handed out: it is registered before its first byte, since a purge does not reach it
    /// from then on.
    pub fn register_handed_out(&self) -> Result<Made, Failure> {
        let made = self.named(None);
        self.register.put(made.clone())?;
        Ok(made)
    }

    /// Hands this backup out.
    pub fn hand_out(&self, made: Made, source: &Source, output: &mut dyn Write) -> Result<Made, Failure> {
        let mut counted = Counted { backups: self, output, bytes: 0 };
        let written = self.begun(source, &made).and_then(|begun| {
            counted.write_all(&begun.front)?;
            begun.write(self, source, &mut counted)
        });
        self.ended(made, written.map(|()| counted.bytes))
    }

    fn try_make(&self, source: &Source) -> Result<Made, Failure> {
        let dir = self.folder()?;
        let made = self.named(Some(self.now()));
        let name = made.file.clone().expect("it was given one");
        let part = dir.join(format!("{name}.part"));
        if dir.join(&name).exists() {
            // Another one of this second.
            return Err(Failure::Busy);
        }
        self.register.put(made.clone())?;
        let written = self.write_file(source, &made, &part, &dir.join(&name));
        if written.is_err()
            && let Err(failure) = self.remove_part(&part)
        {
            tracing::warn!(%failure, "half a backup could not be removed; it is at the next start");
        }
        self.ended(made, written)
    }

    /// The register says how it ended.
    fn ended(&self, made: Made, written: Result<u64, Failure>) -> Result<Made, Failure> {
        match written {
            Ok(bytes) => {
                let made = Made { bytes: Some(bytes), ..made };
                self.register.put(made.clone())?;
                Ok(made)
            }
            Err(failure) => {
                self.register.remove(&made.id)?;
                Err(failure)
            }
        }
    }

    fn write_file(&self, source: &Source, made: &Made, part: &Path, target: &Path) -> Result<u64, Failure> {
        let dir = target.parent().unwrap_or(Path::new("/"));
        let space = Space::new(dir, self.parts.settings.disk_reserve)?;
        let mut file = OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(part)?;
        let begun = {
            // A purge that comes now waits, and finds the capsule.
            let _no_purge = self.capsules.lock().unwrap_or_else(PoisonError::into_inner);
            let begun = self.begin(source, made)?;
            file.write_all(&begun.front)?;
            file.sync_all()?;
            sync(dir)?;
            begun
        };
        file.seek(SeekFrom::Start(begun.head.frames_at()))?;
        let mut output = Roomy { backups: self, file: &file, room: space.reserve(), left: 0 };
        let mut buffered = io::BufWriter::with_capacity(128 * 1024, &mut output);
        begun.write(self, source, &mut buffered)?;
        buffered.flush()?;
        drop(buffered);
        file.sync_all()?;
        fs::rename(part, target)?;
        sync(dir)?;
        Ok(file.metadata()?.len())
    }

    fn remove_part(&self, part: &Path) -> Result<(), Failure> {
        let Ok(mut file) = File::open(part) else { return Ok(()) };
        match Head::read(&mut file) {
            Ok((head, _)) => self.take_away(&Found { path: part.to_owned(), head }),
            Err(_) => Ok(fs::remove_file(part)?),
        }
    }

    fn begun<'a>(&self, source: &'a Source, made: &Made) -> Result<Begun<'a>, Failure> {
        let _no_purge = self.capsules.lock().unwrap_or_else(PoisonError::into_inner);
        self.begin(source, made)
    }

    /// The moment is this one. The keys are copied after the rows were fixed, so that there are keys for each.
    fn begin<'a>(&self, source: &'a Source, made: &Made) -> Result<Begun<'a>, Failure> {
        let snapshot = source.rows.take()?;
        let keys = self.parts.keyring.copy();
        let signer = Signer::from_seed(&keys.site().signing_seed);
        let head = Head {
            form: Form::Backup,
            id: made.id,
            made: made.made,
            site_key: site_key(&signer),
            slot_bytes: capsule::slot_bytes(&keys)?,
        };
        let mut front = head.encode();
        front.extend(capsule::first(&head, &keys, &self.parts.keyring.root(), &*self.parts.rng));
        Ok(Begun { snapshot, keys, head, front })
    }

    fn named(&self, in_folder: Option<UnixSeconds>) -> Made {
        let (id, made) = (BackupId::from_bytes(random(&*self.parts.rng)), self.now());
        let file = in_folder.map(|_| self.name(made));
        Made { id, made, file, bytes: None, verified: None }
    }
}

/// A backup whose moment is fixed.
struct Begun<'a> {
    snapshot: Snapshot<'a>,
    keys: KeysCopy,
    head: Head,
    /// Head and slots.
    front: Vec<u8>,
}

impl Begun<'_> {
    fn write(self, backups: &Backups, source: &Source, output: &mut dyn Write) -> Result<(), Failure> {
        // Nothing is merged away meanwhile.
        let _reading = source.catalog.reading();
        content(source, self.snapshot, &self.keys, &self.head, &*backups.parts.rng, output).map(drop)
    }
}

/// An output whose length is known at its end.
struct Counted<'a> {
    backups: &'a Backups,
    output: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.backups.goes_on()?;
        let written = self.output.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

/// A file that grows where its disk has room beside its reserve.
struct Roomy<'a> {
    backups: &'a Backups,
    file: &'a File,
    room: Reservation,
    left: u64,
}

impl Write for Roomy<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.backups.goes_on()?;
        let wanted = bytes.len() as u64;
        if wanted > self.left {
            let step = wanted.max(ROOM_STEP_BYTES);
            self.room.grow(step).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
            self.left += step;
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
