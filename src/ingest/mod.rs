//! The door: one body after the other, decoded, proved to be a notification, and made durable.
//!
//! Never: success before the journal has fsynced and control items are applied; a body whose end was not announced
//! taken for whole; memory that grows with a body.
//!
//! A body of up to 64 KiB (decoded) is handled where its bytes arrive and committed with its neighbours'. A larger
//! one moves, with all its state, to a blocking thread and is spooled to a file of its own; at most
//! [`intake::IN_FLIGHT_BYTES`] of it wait between the two.

pub mod coding;
pub mod controls;
pub mod door;
pub mod intake;
pub mod refusal;
mod sieve;
mod spool;
mod tally;
