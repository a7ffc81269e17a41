//! The keys as a person has them: shown, rotated, and compared with what an escrow holds.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::app::desk::unavailable;
use crate::app::escrow::Escrow;
use crate::app::site::Site;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{self, Config};
use crate::crypto::key::Rng;
use crate::crypto::keyring::root::{NotReplaced, Replaced, SealedAnew, UnderRoot, replace};
use crate::crypto::keyring::{self, Change, JournalGeneration, Keyring};
use crate::crypto::root_key::file::RootKeyFile;
use crate::crypto::root_key::{Fingerprint, is_proof};
use crate::http::local::keys::{KeyDesk, NewRoot, RootReplaced, Rotated, Shown};
use crate::journal::Journal;
use crate::lifecycle::{Readiness, Reason};
use crate::model::time::UnixSeconds;
use crate::people::refusal::{Kind, Refusal};
use crate::withdrawal::Withdrawal;

/// How long a rotation waits for filing to catch up; then the keys of what is left stay until the next one.
const CATCH_UP: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The keys of the running gateway.
pub(super) struct Keys {
    keyring: Arc<Keyring>,
    withdrawal: Arc<Withdrawal>,
    journal: Journal,
    escrow: Arc<Escrow>,
    root_key_file: PathBuf,
    others: Arc<dyn UnderRoot>,
    readiness: Arc<Readiness>,
    rng: Arc<Rng>,
}

impl Keys {
    pub(super) fn new(site: &Site, config: &Config, readiness: Arc<Readiness>) -> Self {
        Self {
            keyring: Arc::clone(&site.keyring),
            withdrawal: Arc::clone(&site.withdrawal),
            journal: site.journal.clone(),
            escrow: Arc::clone(&site.escrow),
            root_key_file: config.root_key_file().to_owned(),
            others: Arc::clone(&site.backups) as _,
            readiness,
            rng: Arc::clone(&site.rng),
        }
    }

    /// Waits until no body needs a generation before this one; whether it came to that.
    fn filed_before(&self, generation: JournalGeneration) -> bool {
        let started = SystemClock.monotonic();
        while self.journal.oldest_generation().is_some_and(|oldest| oldest < generation) {
            if SystemClock.monotonic().saturating_sub(started) > CATCH_UP {
                return false;
            }
            thread::sleep(LOOK_AGAIN);
        }
        true
    }

    fn replace_root(&self, new: NewRoot, changes: &[Change]) -> Result<RootReplaced, Refusal> {
        let note;
        let SealedAnew { capsules, unreached } = match new {
            NewRoot::InPlace if config::is_sealed(&self.root_key_file) => {
                let unwritable = io::Error::from(io::ErrorKind::PermissionDenied);
                return Err(self.not_replaced(NotReplaced::Unwritable(unwritable)));
            }
            NewRoot::InPlace => {
                let file = RootKeyFile::at(&self.root_key_file);
                let replaced = replace(&self.keyring, &file, changes, &*self.others, &*self.rng);
                let Replaced { sealed_anew, unnamed } = replaced.map_err(|error| self.not_replaced(error))?;
                note = unnamed.map(|cause| unnamed_note(&file, &cause));
                sealed_anew
            }
            NewRoot::Given(key) => {
                let old = self.keyring.root();
                self.keyring.rotate_root(&key, changes).map_err(|error| self.refused(error))?;
                note = Some(format!(
                    "The next start needs the new key in the place of the old one, {}; install it now, and have the \
                     new key escrowed with `studygate keys escrow create`.",
                    self.root_key_file.display()
                ));
                self.others.seal_anew(&old, &key)
            }
        };
        Ok(RootReplaced { root_key: self.shown().root_key, capsules, unreached, note })
    }

    fn not_replaced(&self, error: NotReplaced) -> Refusal {
        match error {
            NotReplaced::Keyring(cause) => self.refused(cause),
            NotReplaced::Unwritable(cause) => {
                tracing::warn!(%cause, "no file can be made beside the root key");
                let forbidden = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
                let sentence = if forbidden.contains(&cause.kind()) {
                    "The gateway may not replace the file of the root key, as is right for a credential"
                } else {
                    "No file can be made beside the root key, and nothing was changed (the gateway's log says more)"
                };
                let instead = "give the new key a file of its own with `studygate keys rotate --root -o FILE`, which is a \
                               credential again below /etc/credstore.encrypted.";
                Refusal::Other(Kind::Conflict, format!("{sentence}; {instead}"))
            }
        }
    }

    /// A write that failed leaves the disk's state in doubt: the gateway ends, and its next start decides. Where the
    /// disk was only full, nothing had been overwritten.
    fn refused(&self, cause: keyring::Error) -> Refusal {
        if self.keyring.has_failed() {
            tracing::error!(%cause, "a rotation failed; the next start decides which keys are in force");
            self.readiness.lower(Reason::StoreFailed);
            return Refusal::Keyring;
        }
        tracing::warn!(%cause, "a rotation was not begun");
        let sentence = "The keyring could not be written, and nothing was changed; free space on the disk.";
        Refusal::Other(Kind::Unavailable, sentence.to_owned())
    }
}

impl KeyDesk for Keys {
    fn shown(&self) -> Shown {
        Shown {
            epoch: self.keyring.epoch(),
            root_key: Fingerprint::of(&self.keyring.root()).to_string(),
            escrow_verified: self.escrow.verified(),
        }
    }

    fn rotate(&self, root: Option<NewRoot>) -> Result<Rotated, Refusal> {
        let generation = self.withdrawal.next_generation().map_err(|error| self.refused(error))?;
        let bodies_filed = self.filed_before(generation);
        let root = self.withdrawal.rotate(|changes| match root {
            None => self.keyring.rotate(changes).map_err(|error| self.refused(error)).map(|()| None),
            Some(new) => self.replace_root(new, changes).map(Some),
        })?;
        let epoch = self.keyring.epoch();
        tracing::info!(epoch, root = root.is_some(), bodies_filed, "keys rotated");
        Ok(Rotated { epoch, bodies_filed, root })
    }

    fn is_in_force(&self, at: UnixSeconds, proof: &str) -> bool {
        is_proof(&self.keyring.root(), at, proof)
    }

    fn escrow_verified(&self, at: UnixSeconds) -> Result<(), Refusal> {
        self.escrow.keep(at).map_err(|cause| unavailable(&cause))
    }
}

fn unnamed_note(file: &RootKeyFile, cause: &io::Error) -> String {
    tracing::error!(%cause, "the new root key could not be given the name of the old one; check the disk, the next start does it");
    let next = file.next().display();
    format!("The new key is in force and lies in {next}: keep it; the next start gives it its name. Check the disk.")
}
