//! The folder of backups: names, what lies there, what is taken away.
//!
//! ```text
//! studygate-<8 digits of the site's key>-20261121T013000Z.sgbackup       a whole one
//! studygate-….sgbackup.part                                             one that is being made
//! studygate-<8 digits>.sgpurges                                         the purge log
//! ```
//! Never: a file deleted under another name than the gateway's own, or of another site; keys left in what is deleted.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::backup::capsule;
use crate::backup::head::{Form, Head};
use crate::backup::register::Made;
use crate::backup::{Backups, Failure};
use crate::model::time::UnixSeconds;

pub(super) const ENDING: &str = ".sgbackup";
pub(super) const PART: &str = ".sgbackup.part";

/// A backup of this site that lies in the folder.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) head: Head,
}

impl Backups {
    /// The folder, made where it is missing.
    pub(super) fn folder(&self) -> Result<&Path, Failure> {
        let dir = self.dir().ok_or(Failure::NoFolder)?;
        if !dir.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            sync(dir.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(dir)
    }

    /// The name of a backup that is begun now.
    pub(super) fn name(&self, made: UnixSeconds) -> String {
        let stamp: String = made.to_string().chars().filter(|digit| !matches!(digit, '-' | ':')).collect();
        format!("{}-{stamp}{ENDING}", self.prefix())
    }

    /// This site's backups in the folder, by whatever name that ends so.
    pub(super) fn found(&self, ending: &str) -> io::Result<Vec<Found>> {
        let Some(dir) = self.dir() else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !name.ends_with(ending) || !path.is_file() {
                continue;
            }
            let is_named_as_one = name.ends_with(ENDING);
            // What has no head of a backup holds no keys.
            let head = File::open(&path).ok().and_then(|mut file| Head::read(&mut file).ok());
            match head {
                Some((head, _)) if head.form == Form::Backup && head.site_key_text() == self.site_key => {
                    found.push(Found { path, head });
                }
                None if is_named_as_one => tracing::warn!("a file in the folder of backups cannot be read as one"),
                Some(_) | None => {}
            }
        }
        found.sort_by_key(|found| (found.head.made, found.head.id));
        Ok(found)
    }

    /// Takes away all but the newest `keep` of those that the gateway has named; returns how many went.
    pub fn retain(&self, keep: usize) -> Result<usize, Failure> {
        let own = |found: &Found| found.path.file_name().is_some_and(|name| *name == *self.name(found.head.made));
        let mut found: Vec<_> = self.found(ENDING)?.into_iter().filter(own).collect();
        let kept = found.split_off(found.len().saturating_sub(keep));
        for gone in &found {
            self.take_away(gone)?;
            self.register.remove(&gone.head.id)?;
        }
        // Whatever else became of older ones, they would not be kept any longer.
        if let Some(oldest) = kept.first().filter(|_| kept.len() >= keep) {
            let before = |made: &Made| made.file.is_some() && made.made < oldest.head.made;
            for made in self.register.all().into_iter().filter(before) {
                self.register.remove(&made.id)?;
            }
        }
        Ok(found.len())
    }

    /// Destroys and removes what was being made when the gateway stopped.
    pub(super) fn destroy_parts(&self) -> Result<(), Failure> {
        let Some(dir) = self.dir().filter(|dir| dir.is_dir()) else { return Ok(()) };
        for part in self.found(PART)? {
            self.take_away(&part)?;
        }
        // What has no whole head yet has no keys either.
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with(&self.prefix()) && name.ends_with(PART) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Its keys are destroyed first: a file that is removed lives on in free space.
    pub(super) fn take_away(&self, found: &Found) -> Result<(), Failure> {
        let file = File::options().read(true).write(true).open(&found.path)?;
        let whole = file.metadata()?.len() >= found.head.frames_at();
        if whole {
            capsule::destroy(&file, &found.head, &*self.parts.rng, &*self.layer)?;
        }
        fs::remove_file(&found.path)?;
        sync(found.path.parent().unwrap_or(Path::new("/")))?;
        Ok(())
    }

    /// The length of the file of this backup, where it lies in the folder under its own name.
    pub(super) fn whole_file(&self, made: &Made) -> Option<u64> {
        let path = self.dir()?.join(made.file.as_ref()?);
        let mut file = File::open(path).ok()?;
        let (head, _) = Head::read(&mut file).ok()?;
        (head.id == made.id).then(|| file.metadata().ok())?.map(|found| found.len())
    }

    fn prefix(&self) -> String {
        format!("studygate-{}", &self.site_key[..8])
    }
}

pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
