//! A token's secret text: `sg_` and 32 random bytes in base 32.
//!
//! Never: shown but once, to whoever made it; kept other than as a keyed digest.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use zeroize::{Zeroize, Zeroizing};

#[cfg(target_os = "linux")]
use crate::crypto::digest::DigestKey;
#[cfg(target_os = "linux")]
use crate::crypto::key::{Rng, random};

const PREFIX: &str = "sg_";
const SECRET_BYTES: usize = 32;
/// Prefix and 52 letters and digits.
const TEXT_BYTES: usize = PREFIX.len() + 52;

/// The secret that whoever holds a token shows.
pub struct Secret(Zeroizing<[u8; SECRET_BYTES]>);

#[cfg(target_os = "linux")]
/// The keyed digest of a secret.
pub(super) type Digest = [u8; 32];

impl Secret {
    #[cfg(target_os = "linux")]
    /// A new one.
    pub(super) fn random(rng: &Rng) -> Self {
        Self(Zeroizing::new(random(rng)))
    }

    /// The secret of this text; `None` where it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.strip_prefix(PREFIX).filter(|_| text.len() == TEXT_BYTES)?;
        // One spelling alone: what is upper case is not ours.
        if letters.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let mut bytes = BASE32_NOPAD.decode(letters.to_ascii_uppercase().as_bytes()).ok()?;
        let secret = <[u8; SECRET_BYTES]>::try_from(&bytes[..]).ok().map(|bytes| Self(Zeroizing::new(bytes)));
        bytes.zeroize();
        secret
    }

    /// Its text, to be shown once.
    pub fn text(&self) -> Zeroizing<String> {
        let letters = Zeroizing::new(BASE32_NOPAD.encode(&self.0[..]));
        Zeroizing::new(format!("{PREFIX}{}", letters.to_ascii_lowercase()))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn digest(&self, key: &DigestKey) -> Digest {
        key.digest(&[&self.0[..]])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_read_back_from_its_text_and_from_no_other() {
        let secret = Secret(Zeroizing::new([0xa5; SECRET_BYTES]));
        let text = secret.text();
        assert_eq!(text.len(), TEXT_BYTES);
        assert_eq!(Secret::parse(&text).map(|read| *read.0), Some([0xa5; SECRET_BYTES]));
        let wrong = [
            text.to_uppercase(),
            format!("{}x", &**text),
            text[..TEXT_BYTES - 1].to_owned(),
            text.replace("sg_", "gs_"),
            text.replacen('u', "1", 1),
            format!("sg_{}", "ä".repeat(26)),
            String::new(),
        ];
        for wrong in wrong {
            assert!(Secret::parse(&wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{secret:?}").contains("165"));
    }
}
