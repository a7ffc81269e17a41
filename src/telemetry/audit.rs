//! Metrics of the audit log.

use crate::model::time::UnixSeconds;
use crate::telemetry::families::group;

group! {
    /// The audit log.
    pub struct AuditMetrics {
        /// Entries written to the audit log.
        entries: IntCounter = "studygate_audit_entries_total" [],
        /// When the audit log was last verified without a finding.
        verified: IntGaugeVec = "studygate_audit_verify_last_success_timestamp_seconds" [],
    }
}

impl AuditMetrics {
    fn at_zero(&self) {}

    /// It was verified without a finding.
    pub fn verified(&self, at: UnixSeconds) {
        self.verified.with_label_values::<&str>(&[]).set(at.0);
    }
}
