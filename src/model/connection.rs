//! A connection: one Garmin user on one Garmin client.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The Garmin client (application) a notification came for; `default` where a site has only one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// The client of a site that names none.
    pub fn single() -> Self {
        Self("default".into())
    }

    /// The client with this identifier (the `garmin-client-id` header).
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Garmin's identifier of a user: opaque text, personal data, never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GarminUserId(Box<str>);

impl GarminUserId {
    /// The longest userId that is taken, in bytes; a longer one is unreadable.
    pub const BYTES_MAX: usize = 256;

    /// The user of this text; `None` where it is empty or too long.
    pub fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && text.len() <= Self::BYTES_MAX).then(|| Self(text.into()))
    }

    /// The text itself, to be sealed or digested, never printed.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GarminUserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GarminUserId(…)")
    }
}

/// Keyed digest of (client, user) under the index key: finds a connection without naming the user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionDigest(pub [u8; 16]);

impl fmt::Debug for ConnectionDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionDigest(…)")
    }
}
