//! The rules of studies, participants and links, as pure functions: directory, command, time and random bytes in,
//! changes or a refusal out.
//!
//! Never: I/O, the clock, a random source.

pub mod link;
pub mod participant;
pub mod permission;
pub mod study;

#[cfg(test)]
mod tests;
