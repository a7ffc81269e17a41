//! Metrics of filing.

use crate::model::summary::{KNOWN, SummaryType};
use crate::telemetry::families::group;

group! {
    /// What became of records.
    pub struct FilingMetrics {
        /// Records by what became of them.
        records: IntCounterVec = "studygate_records_total" ["type", "result"],
        /// Age of the oldest body that is not filed yet; 0 where there is none.
        lag: Gauge = "studygate_filing_lag_seconds" [],
        /// When the newest record of a study was stored.
        last_record: IntGaugeVec = "studygate_last_record_timestamp_seconds" ["study"],
        /// Callback URLs that lead elsewhere than to Garmin, by what is wrong with them.
        refused_callbacks: IntCounterVec = "studygate_callbacks_refused_total" ["reason"],
        /// Items that a person must look at.
        quarantine_items: IntGauge = "studygate_quarantine_items" [],
        /// Time from when a purge could begin, everything before it filed, until rows and files were gone.
        purge_duration: Histogram = "studygate_purge_duration_seconds" [],
        /// Rewritings of the database by how they ended.
        compactions: IntCounterVec = "studygate_compactions_total" ["result"],
        /// Time that a rewriting of the database took.
        compaction_duration: Histogram = "studygate_compaction_duration_seconds" [],
    }
}

/// How a rewriting of the database ends.
const COMPACTION_RESULTS: [&str; 6] = ["done", "in_use", "stopped", "no_room", "not_needed", "failed"];

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordResult {
    /// It is the first of its natural key.
    Stored,
    /// It replaces or stands beside an earlier revision.
    Revised,
    /// It equals a held revision.
    Duplicate,
    /// Its connection is not linked.
    Held,
    /// No participant's window covers it.
    OutsideWindow,
    /// The study does not take it, or the user does not permit it.
    NotPermitted,
    /// Its connection was purged.
    DroppedPurged,
    /// It has no readable owner or shape.
    Quarantined,
    /// Its connection is not linked, and the hold is off or full.
    NotHeld,
}

impl RecordResult {
    /// Every result.
    pub const ALL: [Self; 9] = [
        Self::Stored,
        Self::Revised,
        Self::Duplicate,
        Self::Held,
        Self::OutsideWindow,
        Self::NotPermitted,
        Self::DroppedPurged,
        Self::Quarantined,
        Self::NotHeld,
    ];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Revised => "revised",
            Self::Duplicate => "duplicate",
            Self::Held => "held",
            Self::OutsideWindow => "outside_window",
            Self::NotPermitted => "not_permitted",
            Self::DroppedPurged => "dropped_purged",
            Self::Quarantined => "quarantined",
            Self::NotHeld => "not_held",
        }
    }
}

impl FilingMetrics {
    fn at_zero(&self) {
        for result in COMPACTION_RESULTS {
            self.compactions.with_label_values(&[result]);
        }
        for name in KNOWN.iter().map(|known| known.name).chain(["other"]) {
            for result in RecordResult::ALL {
                self.records.with_label_values(&[name, result.name()]);
            }
        }
    }

    /// So many records of this type came to this.
    pub fn count(&self, kind: &SummaryType, result: RecordResult, records: u64) {
        self.records.with_label_values(&[kind.label(), result.name()]).inc_by(records);
    }
}
