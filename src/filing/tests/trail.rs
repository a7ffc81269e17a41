//! The audit log of a site in a temporary folder, and the copy of such a folder.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::audit::{Entry, Log, Parts, Settings, list::Filter};
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

/// Act, who, code and details of every entry.
pub(super) fn entered(log: &Log) -> Vec<(String, String, Option<String>, Value)> {
    let entries = log.list(&Filter::default()).expect("listed").entries;
    let told = |entry: Entry| {
        let who = entry.who["by"].as_str().expect("somebody").to_owned();
        (entry.act, who, entry.code, entry.details)
    };
    entries.into_iter().map(told).collect()
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
