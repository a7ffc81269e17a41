//! The three listeners: notifications over HTTPS, the local API over a Unix socket, health and metrics.
//!
//! Never: a 200 that is not durable; a status that tells a stranger more than the contract does.

mod admission;
mod answer;
mod connection;
mod framing;
pub mod health;
pub mod ingress;
pub mod listener;
pub mod local;
pub mod local_api;
pub mod local_socket;
pub mod problem;
pub mod settings;
mod wire;
