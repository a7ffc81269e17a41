//! The three listeners: notifications over HTTPS, the local API over a Unix socket, health and metrics.
//!
//! Never: a 200 that is not durable; a status that tells a stranger more than the contract does.

pub mod local_api;
