//! Which root key opens the site, where the replacement of one was interrupted.
//!
//! Never: a start with a key that a replacement has left behind.

use std::sync::Arc;

use ring::rand::SystemRandom;

use crate::app::failure::Failure;
use crate::app::site::{directory_failure, keyring_failure};
use crate::backup::under_root::Capsules;
use crate::config::{self, Config};
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::root::{Settled, UnderRoot, settle};
use crate::crypto::root_key::file::{RootKeyFile, Staged};
use crate::store::format::DataDirectory;

/// The key in force: the configured one, or the one that lies beside its file and has replaced it already. What was
/// interrupted is at its end on return.
pub fn in_force(config: &Config, configured: Key) -> Result<Key, Failure> {
    let (dir, file) = (config.data_dir.as_path(), RootKeyFile::at(config.root_key_file()));
    let keyring = dir.join("keyring");
    // One that is sealed is replaced by a person, never by the gateway.
    if config::is_sealed(config.root_key_file())
        || !keyring.is_dir()
        || matches!(file.staged().map_err(Failure::storage)?, Staged::Nothing)
    {
        return Ok(configured);
    }
    let _held = DataDirectory::open(dir).map_err(|error| directory_failure(dir, &error))?;
    let rng: Arc<Rng> = Arc::new(SystemRandom::new());
    let settled = settle(&keyring, &file, configured, &others(config, &rng), &rng).map_err(keyring_failure)?;
    match &settled {
        Settled::AsConfigured(_) => {}
        Settled::Undone(_) => tracing::warn!("a replacement of the root key had been interrupted, and is undone"),
        Settled::Finished(_, sealed_anew) => {
            let (capsules, unreached) = (sealed_anew.capsules, sealed_anew.unreached.len());
            tracing::warn!(capsules, unreached, "a replacement of the root key had been interrupted, and is finished");
        }
    }
    Ok(settled.key().clone())
}

/// What else lies under the root key of a site.
fn others(config: &Config, rng: &Arc<Rng>) -> impl UnderRoot + use<> {
    let dir = Some(config.backup.dir.clone()).filter(|dir| !dir.as_os_str().is_empty());
    Capsules { dir, rng: Arc::clone(rng) }
}
