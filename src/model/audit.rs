//! Places of the audit log, small enough to be carried elsewhere: signed heads, and entries that somebody knows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in the audit log, signed by the site: who holds it can tell whether a log was rewritten or cut before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// The number of the signed entry.
    pub sequence: u64,
    /// SHA-256 of the entry's line up to its signature, 64 hexadecimal digits; it covers every entry before.
    pub digest: String,
    /// The site's Ed25519 signature over sequence and digest, 128 hexadecimal digits.
    pub signature: String,
}

/// A place in the audit log that somebody knows: which entry stands there. It proves nothing of what is behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The number of the entry.
    pub sequence: u64,
    /// SHA-256 of the entry's line, or of a head's line up to its signature; 64 hexadecimal digits.
    pub digest: String,
}

impl Checkpoint {
    /// The checkpoint of a text such as `17:3fe2…`.
    pub fn parse(text: &str) -> Option<Self> {
        let (sequence, digest) = text.trim().split_once(':')?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let digest = is_digest.then(|| digest.to_ascii_lowercase())?;
        Some(Self { sequence: sequence.parse().ok().filter(|number| *number > 0)?, digest })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.sequence, self.digest)
    }
}

impl From<&AuditHead> for Checkpoint {
    fn from(head: &AuditHead) -> Self {
        Self { sequence: head.sequence, digest: head.digest.clone() }
    }
}
