//! What the gateway tells its operator: metrics and log lines.
//!
//! Never: a participant, a user, an address, a URL or a secret, in a label or in a line.

pub mod acme;
pub mod audit;
pub mod families;
pub mod filing;
pub mod http;
pub mod ingest;
pub mod keys;
pub mod logging;
pub mod observed;
pub mod people;
pub mod process;
pub mod pull;
pub mod registry;
pub mod store;
