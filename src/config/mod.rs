//! What the operator set: the configuration file, the environment and the root key, read once at the start.
//!
//! Never: reading anything after the start; deciding what a subsystem does with its settings.
//!
//! Limits: a configuration file of 1 MiB, a root key file of 4 KiB.

#[cfg(target_os = "linux")]
mod acme;
#[cfg(target_os = "linux")]
mod backup;
#[cfg(target_os = "linux")]
mod deregistration;
mod environment;
#[cfg(target_os = "linux")]
mod fault;
#[cfg(target_os = "linux")]
mod grant;
#[cfg(target_os = "linux")]
mod part;
#[cfg(target_os = "linux")]
mod pull;
#[cfg(target_os = "linux")]
mod quantity;
#[cfg(target_os = "linux")]
mod reserved;
#[cfg(target_os = "linux")]
mod root_key;
#[cfg(target_os = "linux")]
mod settings;
#[cfg(target_os = "linux")]
mod systemd_creds;
#[cfg(target_os = "linux")]
mod validate;

#[cfg(target_os = "linux")]
pub use acme::Acme;
#[cfg(target_os = "linux")]
pub use backup::Backup;
#[cfg(target_os = "linux")]
pub use deregistration::Deregistration;
pub use environment::Environment;
#[cfg(target_os = "linux")]
pub use fault::{Fault, Place};
#[cfg(target_os = "linux")]
pub use grant::{GroupError, LocalGrant, read_grants};
#[cfg(target_os = "linux")]
pub use part::{Ingress, Keys, Local, Metrics, Quarantine, Storage, Tls, Tombstones, Unassigned, UnassignedPolicy};
#[cfg(target_os = "linux")]
pub use pull::Pull;
#[cfg(target_os = "linux")]
pub use quantity::{MEBIBYTE, format_bytes};
#[cfg(target_os = "linux")]
pub use reserved::{GarminClient, Join};
#[cfg(target_os = "linux")]
pub use root_key::{KeyFile, is_sealed, read_root_key};
#[cfg(target_os = "linux")]
pub use settings::{Config, default_file};
#[cfg(target_os = "linux")]
pub use systemd_creds::{SealedBy, has_tpm, open_credential, seal_credential};
