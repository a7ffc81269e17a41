//! The listeners: notifications over HTTPS, the local API over a Unix socket and over HTTPS, health and metrics.
//!
//! Never: a 200 that is not durable; a status that tells a stranger more than the contract does.

mod admission;
mod answer;
pub mod bearer;
mod connection;
mod framing;
pub mod health;
pub mod ingress;
pub mod listener;
pub mod local;
mod local_answer;
pub mod local_api;
pub mod local_https;
pub mod local_socket;
pub mod problem;
pub mod request_id;
pub mod settings;
mod wire;
