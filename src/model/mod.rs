//! The nouns of the gateway, as plain values.
//!
//! Never: I/O, async, HTTP, reading the clock.

pub mod audit;
pub mod connection;
pub mod entry;
pub mod id;
pub mod participant;
pub mod pull;
pub mod quarantine;
pub mod shift;
pub mod study;
pub mod summary;
pub mod time;
pub mod window;
