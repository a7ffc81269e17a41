//! Certificates, and how the gateway speaks TLS: 1.2 and 1.3, through ring.
//!
//! Never: a second crypto library; a session ticket; a key in a log or an error.

pub mod chain;
pub mod challenge;
pub mod files;
pub mod generate;
pub mod server;
mod stamp;
