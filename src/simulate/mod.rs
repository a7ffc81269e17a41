//! Garmin's side, made up: seeded users, days of their records, the files of their activities, notifications, and a
//! ledger of what was sent.
//!
//! The same seed gives the same bytes everywhere. Field names follow the Activity API 1.2.3, the Women's Health API
//! 1.0.4 and, for the Health types, what is seen on the wire; every value is invented.
//!
//! Never: a clock, a network, a file. What is made here is handed over as text, and others send it.

pub mod activity;
pub mod cycle;
pub mod file;
mod habits;
pub mod health;
pub mod large;
pub mod ledger;
pub mod markers;
mod night;
pub mod notification;
pub mod random;
pub mod record;
mod today;
mod track;
pub mod user;
mod vitals;
