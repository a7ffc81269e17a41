//! A 256-bit secret, wiped when dropped, never printed.

use std::fmt;

use ring::rand::SecureRandom;
use zeroize::ZeroizeOnDrop;

/// A 256-bit key.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    /// A new random key.
    pub fn random(rng: &dyn SecureRandom) -> Key {
        Key(random(rng))
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    /// Its bytes, to be sealed or fed to a cipher.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// `N` random bytes.
pub fn random<const N: usize>(rng: &dyn SecureRandom) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes).expect("the system's random source answers");
    bytes
}

/// A random source that threads share.
pub type Rng = dyn SecureRandom + Send + Sync;
