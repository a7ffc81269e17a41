//! A small HTTP/1.1 client, over TLS or over a Unix socket: for the commands, the demo and the tests.
//!
//! Never: following a redirect; trusting a certificate it was not told to trust; an answer that was broken off taken
//! for a whole one.

pub mod connection;
pub mod trust;
