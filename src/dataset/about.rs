//! What a dataset says of itself; it goes into the manifest and the README.

use serde::{Deserialize, Serialize};

use crate::dataset::recipient::Recipient;
use crate::model::{audit::AuditHead, participant::Window, study::Rules, time::UnixSeconds};

/// What a dataset says of itself.
#[derive(Clone, Debug)]
pub struct About {
    /// The study's name.
    pub study: String,
    /// Which completed export of the study this is, from 1.
    pub number: u32,
    /// The store's sequence number.
    pub sequence: u64,
    /// When it is made.
    pub made_at: UnixSeconds,
    /// The times it covers.
    pub window: Window,
    /// Who can open it; at least one.
    pub recipients: Vec<Recipient>,
    /// The study's rules.
    pub rules: Rules,
    /// Their version.
    pub rules_version: u32,
    /// The head of the audit log at the export.
    pub audit: Option<AuditHead>,
    /// The program and its version.
    pub software: String,
    /// What it has to do with the datasets before it.
    pub lineage: Lineage,
}

/// What a dataset has to do with those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lineage {
    /// The export that its list of changes compares with.
    pub changes_since: Option<u32>,
    /// Whether it holds only what came, changed or went since then.
    pub increment: bool,
    /// Whether everything counts as revised since then, because the rules or the program are others.
    pub everything_again: bool,
    /// The export that it makes again.
    pub as_of: Option<Again>,
}

/// An export that is made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Again {
    /// Its number.
    pub number: u32,
    /// When it was made, RFC 3339.
    pub made: String,
    /// The codes in it whose participants have left since.
    pub left: Vec<String>,
}
