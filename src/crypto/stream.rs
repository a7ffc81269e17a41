//! Sealing of large objects chunk by chunk (STREAM: counter and last flag in the nonce).

use ring::rand::SecureRandom;

use crate::crypto::{
    key::Key,
    seal::{Location, Tampered},
};

/// The most plaintext one chunk may hold, in bytes.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// How many bytes longer a sealed chunk is.
pub const CHUNK_OVERHEAD: usize = 16;
/// The length of the header that stands before the first chunk.
pub const HEADER_BYTES: usize = 2 + 32;

/// Seals the chunks of one object in order.
pub struct StreamSealer {}

/// Opens them in the same order.
pub struct StreamOpener {}

impl StreamSealer {
    /// A sealer under a derived key, and the header the opener needs.
    pub fn new(key: &Key, location: Location<'_>, rng: &dyn SecureRandom) -> (Self, [u8; HEADER_BYTES]) {
        let _ = (key, location, rng);
        unimplemented!("crypto helper")
    }

    /// Seals the chunk in place and appends its tag. `kind` is authenticated, not written; `last` ends the object.
    pub fn seal(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) {
        let _ = (kind, last, chunk);
        unimplemented!("crypto helper")
    }
}

impl StreamOpener {
    /// The opener for this header.
    pub fn new(key: &Key, location: Location<'_>, header: &[u8]) -> Result<Self, Tampered> {
        let _ = (key, location, header);
        unimplemented!("crypto helper")
    }

    /// Opens the next chunk in place, tag cut off. Nothing of it may be used where this fails.
    pub fn open(&mut self, kind: u8, last: bool, chunk: &mut Vec<u8>) -> Result<(), Tampered> {
        let _ = (kind, last, chunk);
        unimplemented!("crypto helper")
    }

    /// Passes over a chunk without opening it (its successor still opens only in its own place).
    pub fn skip(&mut self) {
        unimplemented!("crypto helper")
    }
}
