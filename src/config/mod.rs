//! What the operator set: the configuration file, the environment and the root key, read once at the start.
//!
//! Never: reading anything after the start; deciding what a subsystem does with its settings.
//!
//! Limits: a configuration file of 1 MiB, a root key file of 4 KiB.

mod backup;
mod deregistration;
mod environment;
mod fault;
mod grant;
mod part;
mod pull;
mod quantity;
mod reserved;
mod root_key;
mod settings;
mod validate;

pub use backup::Backup;
pub use deregistration::Deregistration;
pub use environment::Environment;
pub use fault::{Fault, Place};
pub use grant::{GroupError, LocalGrant, read_grants};
pub use part::{Ingress, Keys, Local, Metrics, Quarantine, Storage, Tls, Tombstones, Unassigned, UnassignedPolicy};
pub use pull::Pull;
pub use quantity::{MEBIBYTE, format_bytes};
pub use reserved::{Acme, GarminClient, Join};
pub use root_key::{KeyFile, read_root_key};
pub use settings::{Config, default_file};
