//! The root key: its text, its fingerprint, the file it lies in, and the proof that somebody holds it.
//!
//! Never: the key itself in a message, a log or an answer.

pub mod file;

use std::fmt;

use ring::digest::{Context, SHA256};
use ring::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use crate::crypto::key::Key;
use crate::model::time::UnixSeconds;

const DIGITS: usize = 64;

/// A name for a root key: 64 bits of its digest, which tell nothing of a key of 256 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; Fingerprint::BYTES]);

impl Fingerprint {
    /// How long it is, in bytes.
    pub const BYTES: usize = 8;

    /// The fingerprint of these bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Fingerprint {
        Fingerprint(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// The fingerprint of this root key.
    pub fn of(root: &Key) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        context.update(b"studygate root key");
        context.update(root.expose());
        Fingerprint(*context.finish().as_ref().first_chunk().expect("a SHA-256 has 32 bytes"))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

/// The key that this text holds: 64 hexadecimal digits, white space around them passed over.
pub fn parse(text: &[u8]) -> Option<Key> {
    let text = text.trim_ascii();
    if text.len() != DIGITS {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    data_encoding::HEXLOWER_PERMISSIVE.decode_mut(text, &mut *bytes).ok()?;
    Some(Key::from_bytes(*bytes))
}

/// The text of a root key's file: 64 hexadecimal digits and a line feed.
pub fn text(root: &Key) -> Zeroizing<String> {
    let digits = Zeroizing::new(data_encoding::HEXLOWER.encode(root.expose()));
    // All at once: a text that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(DIGITS + 1));
    text.push_str(&digits);
    text.push('\n');
    text
}

/// Proves to whoever has the same key that this one is held at this time.
pub fn proof(root: &Key, at: UnixSeconds) -> String {
    data_encoding::HEXLOWER.encode(hmac::sign(&proving(root), &proven(at)).as_ref())
}

/// Whether the proof was made with this key for this time; takes as long for any proof.
pub fn is_proof(root: &Key, at: UnixSeconds, proof: &str) -> bool {
    let Ok(tag) = data_encoding::HEXLOWER.decode(proof.as_bytes()) else { return false };
    hmac::verify(&proving(root), &proven(at), &tag).is_ok()
}

fn proving(root: &Key) -> hmac::Key {
    hmac::Key::new(HMAC_SHA256, root.expose())
}

fn proven(at: UnixSeconds) -> Vec<u8> {
    [b"studygate holds the root key at ".as_slice(), &at.0.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str, expected: Option<[u8; 32]>) {
        assert_eq!(parse(content.as_bytes()).map(|key| *key.expose()), expected, "{content:?}");
    }

    #[test]
    fn root_key_is_sixty_four_hexadecimal_digits() {
        check(&"ab".repeat(32), Some([0xab; 32]));
        check(&format!("{}\n", "AB".repeat(32)), Some([0xab; 32]));
        check(&text(&Key::from_bytes([7; 32])), Some([7; 32]));
        check(&"ab".repeat(31), None);
        check(&"ab".repeat(33), None);
        check(&"zz".repeat(32), None);
        check("", None);
    }

    #[test]
    fn proof_holds_for_its_key_and_time_alone() {
        let (key, other, at) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]), UnixSeconds(1_793_509_200));
        let made = proof(&key, at);
        assert!(is_proof(&key, at, &made));
        assert!(!is_proof(&other, at, &made));
        assert!(!is_proof(&key, at.plus(1), &made));
        assert!(!is_proof(&key, at, "") && !is_proof(&key, at, "no digits") && !is_proof(&key, at, &made[2..]));
    }

    #[test]
    fn fingerprint_tells_keys_apart_and_shows_neither() {
        let (key, other) = (Key::from_bytes([1; 32]), Key::from_bytes([2; 32]));
        assert_eq!(Fingerprint::of(&key), Fingerprint::of(&key.clone()));
        assert_ne!(Fingerprint::of(&key), Fingerprint::of(&other));
        assert_eq!(Fingerprint::of(&key).to_string().len(), 16);
        assert!(!Fingerprint::of(&key).to_string().contains("0101"));
    }
}
