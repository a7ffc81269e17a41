//! The audit log of a site in a temporary folder, and the copy of such a folder.

use std::path::Path;
use std::sync::Arc;

use crate::audit::{Log, Parts, Settings};
use crate::clock::Clock;
use crate::crypto::key::Rng;
use crate::crypto::keyring::Keyring;
use crate::disk::Space;
use crate::store::engine::Engine;
use crate::telemetry::audit::AuditMetrics;
use crate::telemetry::registry::Registry;

/// What the log needs of the rest.
pub(super) type Rest = (Arc<Space>, Arc<dyn Engine>, Arc<Keyring>, Arc<Rng>, Arc<dyn Clock>);

/// Opens the log of a site in this folder.
pub(super) fn open(dir: &Path, (space, engine, keyring, rng, clock): Rest) -> Result<Log, String> {
    let parts = Parts { space, engine, keyring, rng, clock };
    let metrics = AuditMetrics::register(&Registry::new());
    Log::open(Settings::new(dir.join("audit")), parts, metrics).map_err(|error| error.to_string())
}

/// Copies a folder with all that is in it.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a file");
        }
    }
}
