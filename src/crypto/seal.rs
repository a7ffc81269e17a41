//! Sealing of small values, whole in memory.
//!
//! Never: a value released before its tag held.
//!
//! ```text
//! | header: 1 version, 1 algorithm, 32 salt | ciphertext, as long as the value | 16 tag |
//! ```
//! The key is derived from the salt, the purpose `value` and the [`Location`]; it seals once, so the nonce is zero.

use ring::{
    aead::{Aad, NONCE_LEN, Nonce},
    rand::SecureRandom,
};

use crate::crypto::{
    cipher::{HEADER_BYTES, ObjectKey, TAG_BYTES},
    key::Key,
};

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
pub const OVERHEAD: usize = HEADER_BYTES + TAG_BYTES;

const PURPOSE: &[u8] = b"value";

/// The value, sealed for this place.
pub fn seal(key: &Key, location: Location<'_>, value: &[u8], rng: &dyn SecureRandom) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(value.len() + OVERHEAD);
    seal_onto(key, location, value, rng, &mut sealed);
    sealed
}

/// Appends the value, sealed for this place, to `output`; [`OVERHEAD`] bytes longer than the value.
pub fn seal_onto(key: &Key, location: Location<'_>, value: &[u8], rng: &dyn SecureRandom, output: &mut Vec<u8>) {
    let (object, header) = ObjectKey::fresh(key, PURPOSE, location, rng);
    output.reserve(value.len() + OVERHEAD);
    output.extend_from_slice(&header);
    let start = output.len();
    output.extend_from_slice(value);
    let tag = object
        .cipher
        .seal_in_place_separate_tag(once(), Aad::from(&object.associated), &mut output[start..])
        .expect("a value in memory is shorter than the cipher's limit");
    output.extend_from_slice(tag.as_ref());
}

/// The value that was sealed for this place.
pub fn open(key: &Key, location: Location<'_>, sealed: &[u8]) -> Result<Vec<u8>, Tampered> {
    let (header, content) = sealed.split_at_checked(HEADER_BYTES).ok_or(Tampered)?;
    let object = ObjectKey::of(key, PURPOSE, location, header)?;
    let mut value = content.to_vec();
    let length =
        object.cipher.open_in_place(once(), Aad::from(&object.associated), &mut value).map_err(|_| Tampered)?.len();
    value.truncate(length);
    Ok(value)
}

/// The nonce of a key that is used once.
fn once() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;

    const HERE: Location<'_> = Location { table: "pack", owner: b"owner", item: b"item" };

    fn key() -> Key {
        Key::from_bytes([3; 32])
    }

    #[test]
    fn sealed_value_opens_at_its_place() {
        for length in [0, 1, 15, 16, 17, 70_000] {
            let value = vec![42; length];
            let sealed = seal(&key(), HERE, &value, &SystemRandom::new());
            assert_eq!(sealed.len(), length + OVERHEAD);
            assert_eq!(open(&key(), HERE, &sealed).unwrap(), value);
        }
    }

    #[test]
    fn no_byte_can_be_altered() {
        let sealed = seal(&key(), HERE, b"thirty-two bytes of plain text!!", &SystemRandom::new());
        for at in 0..sealed.len() {
            for bit in [1, 2, 128] {
                let mut altered = sealed.clone();
                altered[at] ^= bit;
                assert_eq!(open(&key(), HERE, &altered), Err(Tampered), "byte {at}");
            }
        }
    }

    #[test]
    fn cut_or_prolonged_value_does_not_open() {
        let mut sealed = seal(&key(), HERE, b"value", &SystemRandom::new());
        for length in 0..sealed.len() {
            assert_eq!(open(&key(), HERE, &sealed[..length]), Err(Tampered), "{length} bytes");
        }
        sealed.push(0);
        assert_eq!(open(&key(), HERE, &sealed), Err(Tampered));
    }

    #[test]
    fn value_does_not_open_elsewhere_or_with_another_key() {
        let sealed = seal(&key(), HERE, b"value", &SystemRandom::new());
        let elsewhere = [
            Location { table: "study", ..HERE },
            Location { owner: b"other", ..HERE },
            Location { item: b"other", ..HERE },
            Location { owner: b"ownerite", item: b"m", ..HERE },
            Location { owner: b"", item: b"owneritem", ..HERE },
        ];
        for place in elsewhere {
            assert_eq!(open(&key(), place, &sealed), Err(Tampered));
        }
        assert_eq!(open(&Key::from_bytes([4; 32]), HERE, &sealed), Err(Tampered));
    }

    #[test]
    fn equal_values_seal_differently() {
        let rng = SystemRandom::new();
        assert_ne!(seal(&key(), HERE, b"value", &rng)[2..], seal(&key(), HERE, b"value", &rng)[2..]);
    }
}
