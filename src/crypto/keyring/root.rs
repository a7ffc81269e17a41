//! Another root key for a keyring, and the end of a replacement that was interrupted.
//!
//! Never: a step after which no key that is at hand opens the keyring; a key in force that is removed.
//!
//! ```text
//! the new key durable beside the configured one ─▶ epoch e+1 under the new key ─▶ epoch e destroyed
//!   ─▶ what else lies under the old key sealed anew ─▶ the new key gets the name of the configured one
//! ```
//! Up to the second arrow the old key opens the keyring, and a start throws the new one away; from then on the new key
//! alone does, and a start goes on to the end.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::{Change, Error, Keyring};
use crate::crypto::root_key::file::{RootKeyFile, Staged};

/// What else is sealed under the root key: key capsules of backups.
pub trait UnderRoot: Send + Sync {
    /// Seals under `new` what opens with `old`, and leaves what opens with `new` already; durable on return. It is
    /// called again where an earlier call was cut short. What cannot be reached stays as it is, and is told: it needs
    /// the old key, which the site's escrow has.
    fn seal_anew(&self, old: &Key, new: &Key) -> SealedAnew;
}

/// How sealing anew ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedAnew {
    /// How many capsules lie under the new key.
    pub capsules: u64,
    /// What still opens with the old key alone, in words for the operator.
    pub unreached: Vec<String>,
}

/// Nothing else is sealed under the root key.
pub struct NothingElse;

impl UnderRoot for NothingElse {
    fn seal_anew(&self, _old: &Key, _new: &Key) -> SealedAnew {
        SealedAnew::default()
    }
}

/// A replacement that took place.
#[derive(Debug)]
pub struct Replaced {
    /// What else was sealed anew.
    pub sealed_anew: SealedAnew,
    /// Why the new key does not have the configured one's name yet, where it has not: the next start does it.
    pub unnamed: Option<io::Error>,
}

/// Why a replacement did not take place.
#[derive(Debug)]
pub enum NotReplaced {
    /// The new key could not be put beside the configured one; nothing was changed.
    Unwritable(io::Error),
    /// The keyring could not be written. Where it [has failed](Keyring::has_failed), the next start decides.
    Keyring(Error),
}

impl fmt::Display for NotReplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unwritable(cause) => {
                write!(f, "no file can be made beside the root key ({cause}); give the new key a file of its own")
            }
            Self::Keyring(cause) => cause.fmt(f),
        }
    }
}

impl std::error::Error for NotReplaced {}

/// What a start found beside the configured key.
#[derive(Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing that matters: the configured key is the one to open with.
    AsConfigured(Key),
    /// A replacement that had not come into force; it was undone.
    Undone(Key),
    /// A replacement that was in force; it was brought to its end.
    Finished(Key, SealedAnew),
}

impl Settled {
    /// The key to open the keyring with.
    pub fn key(&self) -> &Key {
        match self {
            Self::AsConfigured(key) | Self::Undone(key) | Self::Finished(key, _) => key,
        }
    }
}

/// Replaces the root key of a keyring by a new random one, in the file where it is configured.
pub fn replace(
    keyring: &Keyring,
    file: &RootKeyFile,
    changes: &[Change],
    others: &dyn UnderRoot,
    rng: &Rng,
) -> Result<Replaced, NotReplaced> {
    let old = keyring.root();
    // An earlier replacement may have got no further than this, with its key in force or without.
    match file.staged().map_err(NotReplaced::Unwritable)? {
        Staged::Whole(key) if key == old => file.install(rng),
        Staged::Whole(_) | Staged::Torn => file.discard(),
        Staged::Nothing => Ok(()),
    }
    .map_err(NotReplaced::Unwritable)?;
    let new = Key::random(rng);
    file.stage(&new).map_err(NotReplaced::Unwritable)?;
    if let Err(cause) = keyring.rotate_root(&new, changes) {
        // Only where nothing was overwritten is it certain that the new key is not in force.
        if !keyring.has_failed() {
            drop(file.discard());
        }
        return Err(NotReplaced::Keyring(cause));
    }
    let sealed_anew = others.seal_anew(&old, &new);
    Ok(Replaced { sealed_anew, unnamed: file.install(rng).err() })
}

/// Decides which key opens the keyring in `dir` where a replacement was interrupted, and ends it.
pub fn settle(
    dir: &Path,
    file: &RootKeyFile,
    configured: Key,
    others: &dyn UnderRoot,
    rng: &Arc<Rng>,
) -> Result<Settled, Error> {
    if !(dir.join("epoch.0").exists() || dir.join("epoch.1").exists()) {
        // There is no keyring yet, and looking must not make one.
        return Ok(Settled::AsConfigured(configured));
    }
    settle_by(file, configured, others, rng, &|root| Keyring::open(dir, root, Arc::clone(rng)))
}

pub(super) fn settle_by(
    file: &RootKeyFile,
    configured: Key,
    others: &dyn UnderRoot,
    rng: &Arc<Rng>,
    open: &dyn Fn(&Key) -> Result<Keyring, Error>,
) -> Result<Settled, Error> {
    let next = match file.staged()? {
        Staged::Nothing => return Ok(Settled::AsConfigured(configured)),
        Staged::Torn => None,
        Staged::Whole(next) => Some(next),
    };
    if let Some(next) = next {
        match open(&next) {
            Ok(_) => {
                let sealed_anew = others.seal_anew(&configured, &next);
                file.install(&**rng)?;
                return Ok(Settled::Finished(next, sealed_anew));
            }
            Err(Error::WrongRootKey | Error::RootKeyReplaced(_) | Error::Damaged) => {}
            Err(other @ (Error::NeedsRotation | Error::Io(_))) => return Err(other),
        }
    }
    // It goes only once the other one is seen to open.
    open(&configured)?;
    file.discard()?;
    Ok(Settled::Undone(configured))
}
