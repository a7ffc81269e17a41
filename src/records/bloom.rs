//! A Bloom filter of natural keys: "surely not here" without opening the index.
//!
//! Ten bits a key and seven probes: about one key in a hundred is looked for in vain.

use crate::records::index::KeyDigest;

const BITS_PER_KEY: usize = 10;
const PROBES: u64 = 7;

/// The filter of one pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bloom(Box<[u8]>);

impl Bloom {
    /// The filter of these keys.
    pub fn of<'a>(keys: impl ExactSizeIterator<Item = &'a KeyDigest>) -> Bloom {
        let bytes = (keys.len() * BITS_PER_KEY).div_ceil(8).max(1);
        let mut bits = vec![0_u8; bytes].into_boxed_slice();
        for key in keys {
            for bit in probes(key, bytes) {
                bits[bit / 8] |= 1 << (bit % 8);
            }
        }
        Bloom(bits)
    }

    /// The filter of these stored bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Bloom> {
        (!bytes.is_empty()).then(|| Bloom(bytes.into()))
    }

    /// Its bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the key may be among those it was made of; `false` is certain.
    pub fn may_hold(&self, key: &KeyDigest) -> bool {
        probes(key, self.0.len()).all(|bit| self.0[bit / 8] & (1 << (bit % 8)) != 0)
    }
}

/// The digest is random already: its two halves are hash enough (double hashing).
fn probes(key: &KeyDigest, bytes: usize) -> impl Iterator<Item = usize> {
    let mut halves = [0_u8; 16];
    halves[..10].copy_from_slice(&key.0);
    let first = u64::from_be_bytes(halves[..8].try_into().expect("eight bytes"));
    let second = u64::from(u32::from_be_bytes([key.0[6], key.0[7], key.0[8], key.0[9]])) | 1;
    let bits = (bytes * 8) as u64;
    (0..PROBES).map(move |probe| (first.wrapping_add(probe.wrapping_mul(second << 17 | second)) % bits) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> KeyDigest {
        let digest = ring::digest::digest(&ring::digest::SHA256, &number.to_be_bytes());
        KeyDigest(digest.as_ref()[..10].try_into().expect("ten bytes"))
    }

    #[test]
    fn held_key_is_never_denied_and_foreign_ones_rarely_pass() {
        let held: Vec<_> = (0..1000).map(key).collect();
        let bloom = Bloom::of(held.iter());
        assert!(held.iter().all(|key| bloom.may_hold(key)));
        let passed = (1000..11_000).filter(|number| bloom.may_hold(&key(*number))).count();
        assert!(passed < 250, "{passed} of 10000 foreign keys passed");
    }
}
