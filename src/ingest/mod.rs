//! The ways into the journal: one body after the other, decoded, proved to be what it should be, and made durable.
//!
//! Never: success before the journal has fsynced and control items are applied; a body whose end was not announced
//! taken for whole; memory that grows with a body.
//!
//! A notification comes through the [`door`], the answer to a ping as [`answer`]; both take the same way. A body of up
//! to 64 KiB (decoded) is handled where its bytes arrive and committed with its neighbours'. A larger one, and any
//! activity file, moves with all its state to a blocking thread and is spooled to a file of its own; at most
//! [`intake::IN_FLIGHT_BYTES`] of it wait between the two.

pub mod answer;
mod array;
mod body;
pub mod coding;
pub mod controls;
pub mod door;
mod file;
pub mod file_kind;
mod fit;
mod gate;
mod handover;
pub mod intake;
mod large;
mod pending;
mod reading;
pub mod refusal;
mod sieve;
mod tally;
mod xml;
