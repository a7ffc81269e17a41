//! What a decision changes: each change is one sealed row, and one step of the directory in memory.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    connection::ConnectionDigest,
    id::{OwnerId, StudyId},
    participant::{Link, Participant},
    study::Study,
    time::UnixSeconds,
};
use crate::people::{digests::TombstoneDigest, held::Held, permissions::Permissions};

/// A link and the digest of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLink {
    /// Finds the connection.
    pub digest: ConnectionDigest,
    /// The link.
    pub link: Link,
}

/// A code that is not given again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retired {
    /// The code of a participant who withdrew.
    pub code: String,
    /// When everything of the participant was erased.
    pub at: UnixSeconds,
}

/// One change.
#[derive(Clone)]
pub enum Change {
    /// The study is so.
    Study(Study),
    /// These codes of the study are not given again.
    RetiredCodes(StudyId, Vec<Retired>),
    /// The participant is so.
    Participant(Participant),
    /// The participant has these links and no others.
    Links(OwnerId, Vec<KnownLink>),
    /// Nothing is known of the participant.
    ParticipantGone(OwnerId),
    /// The held connection is so.
    Held(OwnerId, ConnectionDigest, Held),
    /// Nothing is known of the held connection.
    HeldGone(OwnerId),
    /// The connection is not to come back before the time.
    Tombstone(TombstoneDigest, UnixSeconds),
    /// The tombstone has expired.
    TombstoneGone(TombstoneDigest),
    /// This is known of the permissions of the owner's connection.
    Permissions(OwnerId, ConnectionDigest, Permissions),
}

/// Changes hold personal data: only their kind is shown.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Study(_) => "Study",
            Self::RetiredCodes(..) => "RetiredCodes",
            Self::Participant(_) => "Participant",
            Self::Links(..) => "Links",
            Self::ParticipantGone(_) => "ParticipantGone",
            Self::Held(..) => "Held",
            Self::HeldGone(_) => "HeldGone",
            Self::Tombstone(..) => "Tombstone",
            Self::TombstoneGone(_) => "TombstoneGone",
            Self::Permissions(..) => "Permissions",
        })
    }
}
