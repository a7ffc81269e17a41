//! Backups: what the gateway holds, as it was at one moment, in one file that the root key opens; what purges do to
//! them; and what a restore writes.
//!
//! ```text
//! make     registered ─▶ head and capsule ─▶ rows as of one moment ─▶ audit log ─▶ files ─▶ end ─▶ named
//! purge    keys destroyed ─▶ each capsule in the folder without them ─▶ purge log copied ─▶ rows and files gone
//! restore  head, capsule, purge log ─▶ keys under a later epoch ─▶ rows, files, audit log ─▶ what was purged since
//! ```
//! A file is drawn in `backup/frame.rs`, its capsule in `backup/capsule.rs`, the purge log in `backup/purge_log.rs`.
//!
//! Limits: one backup at a time; its memory does not grow with the store, but for 16 bytes a file and the keys.
//!
//! Never: a key in the folder of backups that a purge destroyed, once the folder was reached; a file deleted that the
//! gateway did not name; half a file under the name of a whole one.

pub mod capsule;
pub mod deep;
mod failure;
mod folder;
pub mod frame;
pub mod head;
mod make;
pub mod nightly;
pub mod purge_log;
mod reach;
pub mod register;
pub mod restore;
mod state;
pub mod under_root;
pub mod verify;
pub mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::backup::capsule::{Layer, Plain};
pub use crate::backup::failure::Failure;
pub use crate::backup::reach::{Destroyed, Missed};
use crate::backup::register::{Made, Register};
use crate::backup::verify::{Verified, verify};
pub use crate::backup::write::Source;
use crate::clock::Clock;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::dataset::manifest::Signer;
use crate::model::time::UnixSeconds;
use crate::store::engine::Engine;

/// Settings.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The folder that the gateway makes backups in and reaches; none where there is none.
    pub dir: Option<PathBuf>,
    /// How many bytes of its disk are left free.
    pub disk_reserve: u64,
}

/// What backups work with.
pub struct Parts {
    /// Settings.
    pub settings: Settings,
    /// The rows.
    pub engine: Arc<dyn Engine>,
    /// The keys.
    pub keyring: Arc<Keyring>,
    /// Randomness.
    pub rng: Arc<Rng>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The backups of a site.
pub struct Backups {
    parts: Parts,
    register: Register,
    site_key: String,
    layer: Arc<dyn Layer>,
    /// Held while capsules are written: a purge waits for the capsule of a backup that begins, and reaches it.
    capsules: Mutex<()>,
    stopping: AtomicBool,
}

impl Backups {
    /// The backups as the register has them; what a stop left half made is destroyed, in the folder and in the register.
    pub fn open(parts: Parts) -> Result<Backups, Failure> {
        Self::open_on(parts, Arc::new(Plain))
    }

    pub(crate) fn open_on(parts: Parts, layer: Arc<dyn Layer>) -> Result<Backups, Failure> {
        let (engine, keyring) = (Arc::clone(&parts.engine), Arc::clone(&parts.keyring));
        let site_key = Signer::from_seed(&keyring.site().signing_seed).public_key();
        let register = Register::open(engine, keyring, Arc::clone(&parts.rng))?;
        let (capsules, stopping) = (Mutex::default(), AtomicBool::new(false));
        let backups = Backups { parts, register, site_key, layer, capsules, stopping };
        for half in backups.register.all().into_iter().filter(|made| made.bytes.is_none()) {
            // One that was finished and not yet registered so is whole under its name.
            if let Some(bytes) = backups.whole_file(&half) {
                backups.register.put(Made { bytes: Some(bytes), ..half })?;
            } else {
                backups.register.remove(&half.id)?;
            }
        }
        if let Err(failure) = backups.destroy_parts() {
            tracing::warn!(%failure, "half a backup could not be removed");
        }
        Ok(backups)
    }

    /// The folder of backups.
    pub fn dir(&self) -> Option<&Path> {
        self.parts.settings.dir.as_deref()
    }

    /// Every whole backup that is known of, the oldest first.
    pub fn all(&self) -> Vec<Made> {
        self.register.all().into_iter().filter(|made| made.bytes.is_some()).collect()
    }

    /// When the newest whole backup was begun.
    pub fn last_success(&self) -> Option<UnixSeconds> {
        self.all().iter().map(|made| made.made).max()
    }

    /// When a backup was last verified without a finding.
    pub fn last_verified(&self) -> Option<UnixSeconds> {
        self.all().iter().filter_map(|made| made.verified).max()
    }

    /// Verifies a backup in the folder, everything in it opened; the register has that, durable, on return.
    pub fn verify(&self, made: &Made) -> Result<Verified, Failure> {
        let path = self.folder()?.join(made.file.as_deref().unwrap_or_default());
        let verified = verify(&path, Some(&self.parts.keyring.root()))?;
        self.register.put(Made { verified: Some(self.now()), ..made.clone() })?;
        Ok(verified)
    }

    /// What is being made is given up: the gateway stops.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    fn goes_on(&self) -> io::Result<()> {
        if self.stopping.load(Ordering::Acquire) { Err(io::Error::other("the gateway is stopping")) } else { Ok(()) }
    }

    fn now(&self) -> UnixSeconds {
        self.parts.clock.now()
    }
}
