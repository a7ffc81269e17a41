//! Keyed digests: equality without the value.

use crate::crypto::key::Key;

/// HMAC-SHA-256 under a fixed key.
#[derive(Clone)]
pub struct DigestKey {
    hmac: ring::hmac::Key,
}

impl DigestKey {
    /// Digests under this key, for one purpose: other purposes give unrelated digests.
    pub fn new(key: &Key, purpose: &'static str) -> Self {
        let base = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.expose());
        let derived = ring::hmac::sign(&base, purpose.as_bytes());
        Self { hmac: ring::hmac::Key::new(ring::hmac::HMAC_SHA256, derived.as_ref()) }
    }

    /// The digest of these parts; each part's length is digested before it.
    pub fn digest(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut context = ring::hmac::Context::with_key(&self.hmac);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }
}
