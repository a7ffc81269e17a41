//! Sealing of small values, whole in memory.

use ring::rand::SecureRandom;

use crate::crypto::key::Key;

/// The place a value is sealed for; it is authenticated, so a value moved elsewhere does not open.
#[derive(Clone, Copy, Debug)]
pub struct Location<'a> {
    /// The table or kind of file, `pack`, `study`, …; a constant of the program.
    pub table: &'static str,
    /// Whose it is (an owner's id), or empty.
    pub owner: &'a [u8],
    /// Which one it is within both.
    pub item: &'a [u8],
}

/// The value was altered, cut, sealed with another key, or sealed for another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tampered;

impl std::fmt::Display for Tampered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a sealed value does not open: it was altered, or belongs to another key or place")
    }
}

impl std::error::Error for Tampered {}

/// How many bytes longer a sealed value is.
pub const OVERHEAD: usize = 2 + 32 + 16;

/// The value, sealed for this place.
pub fn seal(key: &Key, location: Location<'_>, value: &[u8], rng: &dyn SecureRandom) -> Vec<u8> {
    let _ = (key, location, value, rng);
    unimplemented!("crypto helper")
}

/// The value that was sealed for this place.
pub fn open(key: &Key, location: Location<'_>, sealed: &[u8]) -> Result<Vec<u8>, Tampered> {
    let _ = (key, location, sealed);
    unimplemented!("crypto helper")
}
