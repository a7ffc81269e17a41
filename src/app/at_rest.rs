//! What can be said of a site whose gateway does not run: its data directory is held while it is looked at.
//!
//! Never: a site that is made by looking at it.

use std::sync::Arc;

use ring::rand::SystemRandom;

use crate::app::escrow::Escrow;
use crate::app::failure::{Failure, Kind};
use crate::app::root;
use crate::app::site::{audit_folder, directory_failure, keyring_failure};
use crate::audit::report::Report;
use crate::audit::{self, Log};
use crate::config::Config;
use crate::crypto::key::{Key, Rng};
use crate::crypto::keyring::Keyring;
use crate::crypto::root_key::Fingerprint;
use crate::dataset::manifest::Signer;
use crate::model::time::UnixSeconds;
use crate::store::format::DataDirectory;
use crate::store::sled::Sled;

/// Verifies the audit log.
pub fn verify_audit(config: &Config, root_key: &Key) -> Result<Report, Failure> {
    let (rng, dir): (Arc<Rng>, _) = (Arc::new(SystemRandom::new()), config.data_dir.as_path());
    let (_held, keyring) = keyring(config, root_key, &rng)?;
    let engine = Arc::new(Sled::open(&dir.join("db")).map_err(Failure::storage)?);
    Log::verify_at_rest(&audit::Settings::new(audit_folder(dir)), engine, Arc::new(keyring), rng)
        .map_err(Failure::storage)
}

/// What is known of the keys.
pub struct Keys {
    /// The site's public key, 64 hexadecimal digits.
    pub site_key: String,
    /// The number of the epoch.
    pub epoch: u64,
    /// The fingerprint of the root key.
    pub root_key: Fingerprint,
    /// When an escrow of the root key was last found right.
    pub escrow_verified: Option<UnixSeconds>,
}

/// What is known of the keys.
pub fn keys(config: &Config, root_key: &Key) -> Result<Keys, Failure> {
    let rng: Arc<Rng> = Arc::new(SystemRandom::new());
    let (_held, keyring) = keyring(config, root_key, &rng)?;
    let keyring = Arc::new(keyring);
    let engine = Arc::new(Sled::open(&config.data_dir.join("db")).map_err(Failure::storage)?);
    let escrow = Escrow::open(engine, Arc::clone(&keyring), rng).map_err(Failure::storage)?;
    Ok(Keys {
        site_key: Signer::from_seed(&keyring.site().signing_seed).public_key(),
        epoch: keyring.epoch(),
        root_key: Fingerprint::of(&keyring.root()),
        escrow_verified: escrow.verified(),
    })
}

fn keyring(config: &Config, root_key: &Key, rng: &Arc<Rng>) -> Result<(DataDirectory, Keyring), Failure> {
    let dir = config.data_dir.as_path();
    if !dir.join("keyring").is_dir() {
        let text = format!("{} holds no site yet; start the gateway with `studygate serve` first", dir.display());
        return Err(Failure::new(Kind::Configuration, text));
    }
    let root_key = root::in_force(config, root_key.clone())?;
    let held = DataDirectory::open(dir).map_err(|error| directory_failure(dir, &error))?;
    let keyring = Keyring::open(&dir.join("keyring"), &root_key, Arc::clone(rng)).map_err(keyring_failure)?;
    Ok((held, keyring))
}
