//! The gateway put together, bottom-up: directory and keys, store, people, journal, filing, listeners.
//!
//! The order is that of need: nothing listens before everything that was interrupted has been finished, and what
//! stops goes in the opposite order, so that whatever was answered is still filed.
//!
//! Never: a decision of its own; each subsystem takes its settings and makes them.

pub mod at_rest;
mod backups;
mod caught_up;
mod certified;
pub mod controls;
mod covered;
pub mod desk;
mod disclosure;
pub mod escrow;
pub mod failure;
mod filing;
pub mod gateway;
pub mod gauges;
mod handout;
mod keys;
mod leaving;
mod listeners;
pub mod observations;
mod pieces;
pub mod pulling;
mod pulls;
mod quarantine;
pub mod restoring;
pub mod root;
mod seen;
mod silence;
pub mod site;
mod start;
mod supervised;
mod timekeeping;
mod trail;
pub mod watch;

pub use crate::app::failure::Failure;
pub use crate::app::gateway::{Gateway, serve};
