//! What sealing of small values and of streams share: the choice of the algorithm, the header, the derived key.
//!
//! Never: a key used for two objects (each header brings 32 random bytes that its key is derived with).
//!
//! ```text
//! header   | 1 version = 1 | 1 algorithm: 1 AES-256-GCM, 2 ChaCha20-Poly1305 | 32 salt |
//! key      HKDF-SHA256(secret = long-lived key, salt, info = purpose, table, owner, item; each after its u32 length)
//! data     header, then table, owner, item, each after its u32 length: associated with every tag
//! ```

use std::sync::OnceLock;

use ring::{
    aead::{AES_256_GCM, Algorithm, CHACHA20_POLY1305, LessSafeKey, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::SecureRandom,
};

use crate::crypto::{
    key::{Key, random},
    seal::{Location, Tampered},
};

/// The length of the header, in bytes.
pub(crate) const HEADER_BYTES: usize = 2 + SALT_BYTES;
/// The length of a tag, in bytes.
pub(crate) const TAG_BYTES: usize = 16;

const SALT_BYTES: usize = 32;
const VERSION: u8 = 1;

/// The key of one object and the data its tags authenticate beside the content.
pub(crate) struct ObjectKey {
    pub(crate) cipher: LessSafeKey,
    pub(crate) associated: Vec<u8>,
}

impl ObjectKey {
    /// The key of an object to be sealed, and the header it is found with.
    pub(crate) fn fresh(
        key: &Key,
        purpose: &[u8],
        location: Location<'_>,
        rng: &dyn SecureRandom,
    ) -> (Self, [u8; HEADER_BYTES]) {
        let mut header = [0; HEADER_BYTES];
        header[0] = VERSION;
        header[1] = fast_algorithm();
        header[2..].copy_from_slice(&random::<SALT_BYTES>(rng));
        let object = Self::of(key, purpose, location, &header).expect("a header made here is known");
        (object, header)
    }

    /// The key of the object with this header.
    pub(crate) fn of(key: &Key, purpose: &[u8], location: Location<'_>, header: &[u8]) -> Result<Self, Tampered> {
        let header: &[u8; HEADER_BYTES] = header.try_into().map_err(|_| Tampered)?;
        if header[0] != VERSION {
            return Err(Tampered);
        }
        let algorithm = algorithm(header[1]).ok_or(Tampered)?;
        let parts = [purpose, location.table.as_bytes(), location.owner, location.item];
        let lengths = parts.map(|part| u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());

        let secret = Salt::new(HKDF_SHA256, &header[2..]).extract(key.expose());
        let info: [&[u8]; 8] =
            [&lengths[0], parts[0], &lengths[1], parts[1], &lengths[2], parts[2], &lengths[3], parts[3]];
        let derived = secret.expand(&info, algorithm).expect("a key is shorter than HKDF's limit");

        let mut associated = Vec::with_capacity(HEADER_BYTES + 12 + parts[1..].iter().map(|p| p.len()).sum::<usize>());
        associated.extend_from_slice(header);
        info[2..].iter().for_each(|part| associated.extend_from_slice(part));
        Ok(Self { cipher: LessSafeKey::new(UnboundKey::from(derived)), associated })
    }
}

fn algorithm(byte: u8) -> Option<&'static Algorithm> {
    match byte {
        1 => Some(&AES_256_GCM),
        2 => Some(&CHACHA20_POLY1305),
        _ => None,
    }
}

/// AES where the processor computes it, ChaCha20 where AES would be slow or leak through the cache.
fn fast_algorithm() -> u8 {
    static CHOICE: OnceLock<u8> = OnceLock::new();
    *CHOICE.get_or_init(|| if has_aes() { 1 } else { 2 })
}

#[cfg(target_arch = "x86_64")]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes") && std::arch::is_aarch64_feature_detected!("pmull")
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::aead::{Aad, NONCE_LEN, Nonce};

    #[test]
    fn each_algorithm_opens_what_it_sealed_and_not_what_the_other_did() {
        let key = Key::from_bytes([7; 32]);
        let location = Location { table: "row", owner: b"", item: b"1" };
        let mut header = [0; HEADER_BYTES];
        header[0] = VERSION;
        for (own, other) in [(1, 2), (2, 1)] {
            header[1] = own;
            let object = ObjectKey::of(&key, b"value", location, &header).unwrap();
            let mut sealed = b"content".to_vec();
            let nonce = || Nonce::assume_unique_for_key([0; NONCE_LEN]);
            object.cipher.seal_in_place_append_tag(nonce(), Aad::from(&object.associated), &mut sealed).unwrap();
            let again = ObjectKey::of(&key, b"value", location, &header).unwrap();
            let mut opened = sealed.clone();
            assert!(again.cipher.open_in_place(nonce(), Aad::from(&again.associated), &mut opened).is_ok());
            header[1] = other;
            let wrong = ObjectKey::of(&key, b"value", location, &header).unwrap();
            assert!(wrong.cipher.open_in_place(nonce(), Aad::from(&wrong.associated), &mut sealed).is_err());
        }
    }

    #[test]
    fn unknown_version_or_algorithm_is_refused() {
        let key = Key::from_bytes([7; 32]);
        let location = Location { table: "row", owner: b"", item: b"1" };
        for (version, algorithm) in [(0, 1), (2, 1), (1, 0), (1, 3)] {
            let mut header = [0; HEADER_BYTES];
            (header[0], header[1]) = (version, algorithm);
            assert!(ObjectKey::of(&key, b"value", location, &header).is_err());
        }
    }
}
