//! Metrics of the keys.

use crate::model::time::UnixSeconds;
use crate::telemetry::families::group;

group! {
    /// The keys.
    pub struct KeyMetrics {
        /// When an escrow of the root key in force was last opened and found right.
        escrow_verified: IntGaugeVec = "studygate_escrow_verified_timestamp_seconds" [],
    }
}

impl KeyMetrics {
    fn at_zero(&self) {}

    /// When it was, if ever.
    pub fn escrow_verified(&self, at: Option<UnixSeconds>) {
        self.escrow_verified.reset();
        if let Some(at) = at {
            self.escrow_verified.with_label_values::<&str>(&[]).set(at.0);
        }
    }
}
