//! A signed head of the audit log, small enough to be carried elsewhere.

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
