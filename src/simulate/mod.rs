//! Garmin's side, made up: seeded users, days of their records, the files of their activities, notifications, and a
//! ledger of what was sent.
//!
//! The same seed gives the same bytes everywhere. Field names follow the Activity API 1.2.3, the Women's Health API
//! 1.0.4 and, for the Health types, what is seen on the wire; every value is invented.
//!
//! What is generated (records, files, the plan of the days) knows no network; `sender` and `callbacks` are Garmin's two
//! ends of the wire, and `run` brings them together.
//!
//! Never: a clock read, or a file; an outgoing request but through `client`.

pub mod account;
pub mod activity;
pub mod callbacks;
pub mod cycle;
pub mod file;
mod habits;
pub mod health;
pub mod large;
pub mod ledger;
pub mod markers;
pub mod message;
mod night;
pub mod notification;
pub mod outbox;
pub mod plan;
pub mod random;
#[cfg(test)]
mod receiver;
pub mod record;
pub mod run;
pub mod sender;
mod today;
mod track;
pub mod user;
mod vitals;
