//! Control items on their way from the door to withdrawal.

use std::sync::Arc;

use crate::audit::{Log, Who};
use crate::ingest::controls::{Controls, StoreFailed};
use crate::journal::{Header, Position};
use crate::lifecycle::{Readiness, Reason};
use crate::model::entry::Entry;
use crate::telemetry::ingest::IngestMetrics;
use crate::withdrawal::{Event, PermissionChanges, Withdrawal};

/// Applies control items, and counts what came of them.
pub struct ControlDesk {
    /// Who carries them out.
    pub withdrawal: Arc<Withdrawal>,
    /// Where it is said what was done.
    pub audit: Arc<Log>,
    /// Lowered when the store fails.
    pub readiness: Arc<Readiness>,
    /// Counts.
    pub metrics: IngestMetrics,
}

impl Controls for ControlDesk {
    fn apply(&self, position: Position, header: &Header, controls: &[Entry]) -> Result<(), StoreFailed> {
        match self.withdrawal.apply(position, header, controls) {
            Ok(applied) => {
                let count = |result: &str, count: usize| {
                    self.metrics.deregistrations.with_label_values(&[result]).inc_by(count as u64);
                };
                count("applied", applied.withdrawn);
                count("locked", applied.locked);
                count("awaiting", applied.awaiting);
                count("dropped", applied.dropped);
                count("ended", applied.ended);
                count("repeated", applied.repeated);
                count("unknown", applied.unknown);
                self.permissions(&applied.permissions);
                self.enter(&applied.events)
            }
            Err(failure) => {
                self.readiness.lower(Reason::StoreFailed);
                tracing::error!(%failure, "a deregistration or permission change could not be made durable; restart the gateway");
                Err(StoreFailed)
            }
        }
    }
}

impl ControlDesk {
    /// What was applied stays applied: whoever sent it is asked to come again, and then it is entered as repeated.
    fn enter(&self, events: &[Event]) -> Result<(), StoreFailed> {
        if events.is_empty() {
            return Ok(());
        }
        let events = events.iter().map(|event| event.entry(None)).collect();
        self.audit.append(Who::Garmin, events).map(|_| ()).map_err(|error| {
            tracing::error!(%error, "a notice was applied, but could not be audited; check the disk");
            StoreFailed
        })
    }

    fn permissions(&self, changes: &PermissionChanges) {
        let PermissionChanges { applied, older, ahead, unknown, unreadable } = *changes;
        let results = [
            ("applied", applied),
            ("older", older),
            ("ahead", ahead),
            ("unknown", unknown),
            ("unreadable", unreadable),
        ];
        for (result, count) in results {
            self.metrics.permission_changes.with_label_values(&[result]).inc_by(count as u64);
        }
        if ahead > 0 {
            tracing::warn!(
                ahead,
                "permission changes were refused: they claim to be more than a day ahead of this clock; check the clock"
            );
        }
        if unreadable > 0 {
            tracing::warn!(unreadable, "permission changes were refused: they name no list, or no time");
        }
        if applied > 0 {
            tracing::info!(applied, "permission changes applied");
        }
    }
}
