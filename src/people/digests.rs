//! Keyed digests of connections: they find a connection, or its tombstone, without naming the user.

use crate::crypto::{digest::DigestKey, keyring::SiteKeys};
use crate::model::connection::{ClientId, ConnectionDigest};

/// Digests connections under the site's keys.
#[derive(Clone)]
pub struct Digests {
    connection: DigestKey,
    tombstone: DigestKey,
}

/// Keyed digest of a connection that is not to come back; under another key than [`ConnectionDigest`], so that
/// destroying that key forgets who left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TombstoneDigest(pub [u8; 16]);

impl std::fmt::Debug for TombstoneDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TombstoneDigest(…)")
    }
}

impl Digests {
    /// Digests under these keys.
    pub fn new(site: &SiteKeys) -> Self {
        Self {
            connection: DigestKey::new(&site.index, "connection"),
            tombstone: DigestKey::new(&site.tombstone, "tombstone"),
        }
    }

    /// The digest of a Garmin user on a client.
    pub fn connection(&self, client: &ClientId, user: &str) -> ConnectionDigest {
        ConnectionDigest(first_half(self.connection.digest(&[client.as_str().as_bytes(), user.as_bytes()])))
    }

    /// The digest under which the connection's tombstone stands.
    pub fn tombstone(&self, connection: &ConnectionDigest) -> TombstoneDigest {
        TombstoneDigest(first_half(self.tombstone.digest(&[&connection.0])))
    }
}

fn first_half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}
