//! The store: sealed rows in an engine, larger sealed objects in files, both durable when a commit returns.
//!
//! Never: a value in clear; a key that names a person or the date of a person's event.

pub mod blobs;
pub mod engine;
#[cfg(test)]
pub(crate) mod faulty;
mod files;
pub mod format;
mod generation;
pub mod memory;
pub mod sled;
pub mod snapshot;
#[cfg(test)]
pub(crate) mod suite;
