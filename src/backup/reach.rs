//! What a purge does to backups: the keys that it destroyed leave every capsule in the folder, and the purge log is
//! copied there.
//!
//! A capsule keeps the keys that the keyring has as well. So the step may be repeated, and catches up by itself with what
//! it could not reach before. Only where a restore has undone a time, a key that the keyring does not have need not be
//! destroyed: from backups of that time the keys go of those who were purged by name.

use std::collections::HashSet;
use std::fs::File;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};

use crate::backup::folder::Found;
use crate::backup::{Backups, Failure, capsule, purge_log};
use crate::model::id::{BackupId, OwnerId};
use crate::model::time::UnixSeconds;

/// A backup that a purge did not reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missed {
    /// Names it.
    pub id: BackupId,
    /// When it was begun.
    pub made: UnixSeconds,
    /// Its name in the folder of backups; none where it was handed out.
    pub file: Option<String>,
}

/// Whose keys purges have destroyed.
#[derive(Clone, Debug, Default)]
pub struct Destroyed {
    /// All of them.
    pub owners: Vec<OwnerId>,
    /// The identity key alone.
    pub identities: Vec<OwnerId>,
}

impl Backups {
    /// Takes every key that the keyring does not have from the capsules in the folder, and copies the purge log there;
    /// both durable. Returns the backups that are known of and were not reached.
    pub fn reach(&self, destroyed: &Destroyed) -> Vec<Missed> {
        let missed = self.each_capsule(|backups, found| backups.restrict(found, destroyed));
        if let Err(failure) = self.copy_purge_log() {
            tracing::error!(%failure, "the purge log could not be copied beside the backups; it is tried again");
        }
        missed
    }

    /// Copies the purge log into the folder.
    pub fn copy_purge_log(&self) -> Result<(), Failure> {
        if self.dir().is_none() {
            return Ok(());
        }
        let _alone = self.capsules.lock().unwrap_or_else(PoisonError::into_inner);
        let path = purge_log::beside(self.folder()?, &self.site_key);
        purge_log::write(&path, &*self.parts.engine, &self.parts.keyring.copy(), self.now())
    }

    /// The purge log as it is, for a restore of backups that were handed out.
    pub fn purge_log(&self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        purge_log::write_to(&mut bytes, &*self.parts.engine, &self.parts.keyring.copy(), self.now())?;
        Ok(bytes)
    }

    fn each_capsule(&self, work: impl Fn(&Self, &Found) -> Result<(), Failure>) -> Vec<Missed> {
        let _alone = self.capsules.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut reached, mut failed) = (HashSet::new(), HashSet::new());
        match self.found("") {
            Ok(found) => {
                for found in found {
                    match work(self, &found) {
                        Ok(()) => {
                            reached.insert(found.head.id);
                        }
                        Err(failure) => {
                            tracing::error!(
                                %failure,
                                backup = %found.head.id,
                                "the keys of a backup were not rewritten; check backup.dir, it is tried again each hour"
                            );
                            failed.insert(found.head.id);
                        }
                    }
                }
            }
            Err(error) => tracing::error!(%error, "the folder of backups cannot be read; it is tried again"),
        }
        let missed =
            self.register.all().into_iter().filter(|made| !reached.contains(&made.id) || failed.contains(&made.id));
        missed.map(|made| Missed { id: made.id, made: made.made, file: made.file }).collect()
    }

    fn restrict(&self, found: &Found, destroyed: &Destroyed) -> Result<(), Failure> {
        let mut file = File::open(&found.path)?;
        let (layer, rng) = (&*self.layer, &*self.parts.rng);
        let root = self.parts.keyring.root();
        let mut capsule = capsule::open(&file, &found.head, &root)?;
        let changed = if self.register.is_undone(found.head.made) {
            let owners = destroyed.owners.iter().filter(|owner| capsule.keys.destroy(owner)).count();
            owners + destroyed.identities.iter().filter(|owner| capsule.keys.destroy_identity(owner)).count() > 0
        } else {
            capsule.keys.restrict(&self.parts.keyring)
        };
        if changed || capsule.is_unsettled() {
            file = File::options().read(true).write(true).open(&found.path)?;
        }
        if changed {
            capsule::rewrite(&file, &found.head, &capsule, &root, rng, layer)?;
        } else if capsule.is_unsettled() {
            capsule::settle(&file, &found.head, &capsule, rng, layer)?;
        }
        Ok(())
    }
}
