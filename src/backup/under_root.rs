//! Another root key: the capsules in the folder of backups are sealed under it.
//!
//! What was handed out, or is away, opens with the old key alone. A capsule opens with the new key from its new slot on;
//! called again, the old slot is destroyed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use crate::backup::capsule::{self, Layer, Plain};
use crate::backup::head::{Form, Head};
use crate::backup::{Backups, Failure};
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::root::{SealedAnew, UnderRoot};
use crate::model::id::BackupId;

/// The capsules in a folder, before a gateway is opened: it is the root key that says whose they are.
pub struct Capsules {
    /// The folder; none where there is none.
    pub dir: Option<PathBuf>,
    /// Randomness.
    pub rng: Arc<Rng>,
}

impl UnderRoot for Capsules {
    fn seal_anew(&self, old: &Key, new: &Key) -> SealedAnew {
        seal_folder(self.dir.as_deref(), old, new, &*self.rng, &Plain).0
    }
}

impl UnderRoot for Backups {
    fn seal_anew(&self, old: &Key, new: &Key) -> SealedAnew {
        let _alone = self.capsules.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut sealed, reached) = seal_folder(self.dir(), old, new, &*self.parts.rng, &*self.layer);
        let away = self.register.all().into_iter().filter(|made| !reached.contains(&made.id));
        sealed.unreached.extend(away.map(|made| match &made.file {
            Some(file) => format!("backup {file}"),
            None => format!("backup {}, handed out on {}", made.id, made.made),
        }));
        sealed
    }
}

/// How it ended, and which backups lie under the new key.
fn seal_folder(
    dir: Option<&Path>,
    old: &Key,
    new: &Key,
    rng: &Rng,
    layer: &dyn Layer,
) -> (SealedAnew, HashSet<BackupId>) {
    let (mut sealed, mut reached) = (SealedAnew::default(), HashSet::new());
    let Some(dir) = dir else { return (sealed, reached) };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                sealed.unreached.push(format!("the folder of backups {}", dir.display()));
            }
            return (sealed, reached);
        }
    };
    for path in entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()) {
        let head = File::open(&path).ok().and_then(|mut file| Head::read(&mut file).ok());
        let Some((head, _)) = head.filter(|(head, _)| head.form == Form::Backup) else { continue };
        match seal_file(&path, &head, old, new, rng, layer) {
            Ok(()) => {
                reached.insert(head.id);
                sealed.capsules += 1;
            }
            Err(failure) => {
                tracing::error!(
                    %failure,
                    backup = %head.id,
                    "a backup's keys are not under the new root key; keep the old one for it, or make another backup"
                );
                sealed.unreached.push(format!("backup {}", path.file_name().unwrap_or_default().display()));
            }
        }
    }
    (sealed, reached)
}

fn seal_file(path: &Path, head: &Head, old: &Key, new: &Key, rng: &Rng, layer: &dyn Layer) -> Result<(), Failure> {
    let file = File::options().read(true).write(true).open(path)?;
    match capsule::open(&file, head, new) {
        Ok(capsule) if capsule.is_unsettled() => capsule::settle(&file, head, &capsule, rng, layer)?,
        Ok(_) => {}
        Err(_) => {
            let capsule = capsule::open(&file, head, old)?;
            capsule::rewrite(&file, head, &capsule, new, rng, layer)?;
        }
    }
    Ok(())
}
