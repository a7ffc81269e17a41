//! What a batch did, counted until it is durable and may be shown.

use std::collections::HashMap;

use crate::model::{id::StudyId, summary::SummaryType, time::UnixSeconds};
use crate::telemetry::filing::{FilingMetrics, RecordResult};
use crate::telemetry::observed::Observed;

/// Counts of one batch.
#[derive(Debug, Default)]
pub struct Tally {
    records: HashMap<(&'static str, &'static str), u64>,
    newest: HashMap<StudyId, UnixSeconds>,
    refused: HashMap<&'static str, u64>,
}

impl Tally {
    /// One record of this type met this end.
    pub fn count(&mut self, summary_type: &SummaryType, result: RecordResult) {
        *self.records.entry((summary_type.label(), result.name())).or_default() += 1;
    }

    /// A callback URL was refused for this reason.
    pub fn refused(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    /// A record of this study was stored.
    pub fn stored(&mut self, study: StudyId, received: UnixSeconds) {
        let newest = self.newest.entry(study).or_insert(received);
        *newest = (*newest).max(received);
    }

    /// Adds the counts to the metrics; `name` gives a study's label, `None` leaves the study out.
    pub fn show(self, metrics: &FilingMetrics, observed: &Observed, name: impl Fn(&StudyId) -> Option<String>) {
        for ((summary_type, result), count) in self.records {
            metrics.records.with_label_values(&[summary_type, result]).inc_by(count);
        }
        for (reason, count) in self.refused {
            metrics.refused_callbacks.with_label_values(&[reason]).inc_by(count);
        }
        for (study, time) in self.newest {
            observed.stored(study, time);
            if let Some(name) = name(&study) {
                metrics.last_record.with_label_values(&[&name]).set(time.0);
            }
        }
    }
}
