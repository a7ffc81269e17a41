//! What a running gateway tells, as plain values.

use crate::model::time::UnixSeconds;

/// What a running gateway tells.
#[derive(Clone, Debug, Default)]
pub struct Running {
    /// Whether it is of another version than this program.
    pub other_version: bool,
    /// Why it is not ready.
    pub not_ready: Vec<String>,
    /// When an escrow of the root key was last found right.
    pub escrow_verified: Option<UnixSeconds>,
    /// Bodies that are not filed yet.
    pub journal_bodies: u64,
    /// Held connections.
    pub unassigned: u64,
    /// Items in quarantine.
    pub quarantine: u64,
    /// Pings under way.
    pub pulls_waiting: u64,
    /// Pings that ended without data.
    pub pulls_ended: u64,
    /// When the first ping under way expires.
    pub pull_deadline: Option<UnixSeconds>,
    /// Purges that wait for a person.
    pub purges_awaiting: u64,
    /// When the newest backup was begun.
    pub backup_last: Option<UnixSeconds>,
    /// When a backup was last verified.
    pub backup_verified: Option<UnixSeconds>,
    /// When the oldest backup that is known was begun.
    pub backup_oldest: Option<UnixSeconds>,
    /// The last order of a certificate that failed.
    pub acme_failed: Option<UnixSeconds>,
    /// The end of the certificate in use at the ingress.
    pub certificate_ends: Option<UnixSeconds>,
    /// The studies.
    pub studies: Vec<StudyFacts>,
    /// The tokens of the API.
    pub tokens: Vec<TokenFacts>,
    /// What was seen of the traffic.
    pub seen: SeenFacts,
}

/// A study.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyFacts {
    /// Its name.
    pub name: String,
    /// Whether it is open.
    pub is_open: bool,
    /// How many may open its datasets.
    pub recipients: u64,
    /// Known types that it collects; all where it names none.
    pub types: Vec<&'static str>,
    /// When its data are due to be deleted.
    pub retain_until: Option<UnixSeconds>,
}

/// A token of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its name.
    pub name: String,
    /// When it ends.
    pub expires: Option<UnixSeconds>,
}

/// What was seen of the traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenFacts {
    /// Users whose data are here.
    pub users: u64,
    /// Known types of which something came.
    pub types: Vec<&'static str>,
    /// Deregistration notices.
    pub deregistrations: u64,
    /// Notices of changed permissions.
    pub permission_changes: u64,
    /// Bytes of the largest body, and when it came.
    pub largest_body: Option<(u64, UnixSeconds)>,
    /// Milliseconds of the slowest answer, and when it was given.
    pub slowest: Option<(u64, UnixSeconds)>,
    /// The same of the last 24 hours.
    pub slowest_lately: Option<(u64, UnixSeconds)>,
}
