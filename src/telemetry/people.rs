//! Metrics of studies, participants and exports.

use crate::telemetry::families::group;

group! {
    /// Studies and participants.
    pub struct PeopleMetrics {
        /// Participants of a study by state.
        participants: IntGaugeVec = "studygate_participants" ["study", "state"],
        /// Participants who take part and of whom nothing covers the last days, as the study's rule has it.
        silent: IntGaugeVec = "studygate_participants_silent" ["study"],
        /// Connections that no participant is linked to.
        unassigned_users: IntGauge = "studygate_unassigned_users" [],
        /// Changes of a study's recipients.
        recipient_changes: IntCounterVec = "studygate_study_recipient_changes_total" ["study"],
        /// When a study's data are due to be deleted.
        retention_due: IntGaugeVec = "studygate_study_retention_due_timestamp_seconds" ["study"],
    }
}

group! {
    /// Purges.
    pub struct PurgeMetrics {
        /// Purges that have begun and are not done.
        pending: IntGauge = "studygate_purge_pending" [],
        /// When the oldest purge that has begun and is not done was asked for.
        oldest: IntGaugeVec = "studygate_purge_oldest_timestamp_seconds" [],
        /// Purges that a person must confirm or reject.
        awaiting: IntGauge = "studygate_purges_awaiting_confirmation" [],
    }
}

impl PurgeMetrics {
    fn at_zero(&self) {}
}

group! {
    /// Exports.
    pub struct ExportMetrics {
        /// Exports by how they ended.
        exports: IntCounterVec = "studygate_exports_total" ["study", "result"],
    }
}

impl PeopleMetrics {
    fn at_zero(&self) {}

    /// A study exists: its counters stand at 0.
    pub fn study_at_zero(&self, study: &str) {
        self.recipient_changes.with_label_values(&[study]);
        for state in ["active", "paused", "completed", "withdrawn", "retained"] {
            self.participants.with_label_values(&[study, state]);
        }
    }
}

impl ExportMetrics {
    fn at_zero(&self) {}

    /// A study exists: its counters stand at 0.
    pub fn study_at_zero(&self, study: &str) {
        for result in ["completed", "failed"] {
            self.exports.with_label_values(&[study, result]);
        }
    }
}
