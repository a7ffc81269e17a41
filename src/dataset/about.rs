//! What a dataset says of itself; it goes into the manifest and the README.

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
}
