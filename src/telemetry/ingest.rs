//! Metrics of the door: notifications and their items.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntGauge};

use crate::model::{summary::KNOWN, time::UnixSeconds};
use crate::telemetry::families::group;

group! {
    /// Notifications and their items, as they are taken.
    pub struct IngestMetrics {
        /// Notifications by what became of them.
        notifications: IntCounterVec = "studygate_notifications_total" ["outcome"],
        /// Items of accepted notifications.
        items: IntCounterVec = "studygate_items_total" ["kind", "type", "outcome"],
        /// When the newest notification with this type was accepted.
        last_notification: IntGaugeVec = "studygate_last_notification_timestamp_seconds" ["type"],
        /// Deregistration notices by what was done about them.
        deregistrations: IntCounterVec = "studygate_deregistrations_total" ["result"],
        /// Permission changes by what was done about them.
        permission_changes: IntCounterVec = "studygate_permission_changes_total" ["result"],
    }
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum NotificationOutcome {
    /// Durable.
    Accepted,
    /// No notification; nothing stored.
    Malformed,
    /// Over the size limit.
    TooLarge,
    /// Too slow.
    TooSlow,
    /// The sender broke off.
    Aborted,
    /// No room, or the store failed.
    Unavailable,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ItemKind {
    /// A summary.
    Push,
    /// A URL to pull a summary from.
    Ping,
    /// A deregistration notice.
    Deregistration,
    /// A change of permissions.
    PermissionChange,
    /// No item at all.
    Malformed,
    /// A summary that was pulled.
    Pulled,
    /// A pulled file.
    File,
}

/// Where an item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum ItemOutcome {
    /// To filing.
    Accepted,
    /// To quarantine: it has no readable owner or no readable shape.
    Quarantined,
}

const OUTCOMES: [&str; 6] = ["accepted", "malformed", "too_large", "too_slow", "aborted", "unavailable"];
const KINDS: [&str; 7] = ["push", "ping", "deregistration", "permission_change", "malformed", "pulled", "file"];
const ITEM_OUTCOMES: [&str; 2] = ["accepted", "quarantined"];
/// How many type labels there are: the known types, and `other`.
pub const TYPES: usize = KNOWN.len() + 1;

fn type_label(place: usize) -> &'static str {
    KNOWN.get(place).map_or("other", |known| known.name)
}

impl IngestMetrics {
    fn at_zero(&self) {
        for outcome in OUTCOMES {
            self.notifications.with_label_values(&[outcome]);
        }
        for result in ["applied", "repeated", "unknown"] {
            self.deregistrations.with_label_values(&[result]);
        }
        for result in ["applied", "older", "ahead", "unknown", "unreadable"] {
            self.permission_changes.with_label_values(&[result]);
        }
    }

    /// The counters of the door, looked up once.
    pub fn door(&self) -> DoorMetrics {
        let mut items = Vec::with_capacity(TYPES * KINDS.len() * ITEM_OUTCOMES.len());
        for place in 0..TYPES {
            for kind in KINDS {
                for outcome in ITEM_OUTCOMES {
                    items.push(self.items.with_label_values(&[kind, type_label(place), outcome]));
                }
            }
        }
        DoorMetrics {
            notifications: OUTCOMES.map(|outcome| self.notifications.with_label_values(&[outcome])),
            items,
            last: std::array::from_fn(|_| OnceLock::new()),
            families: self.clone(),
        }
    }
}

/// The counters of the door; using them takes no lock and no look-up by name.
#[derive(Debug)]
pub struct DoorMetrics {
    notifications: [IntCounter; OUTCOMES.len()],
    items: Vec<IntCounter>,
    last: [OnceLock<IntGauge>; TYPES],
    families: IngestMetrics,
}

impl DoorMetrics {
    /// A notification ended so.
    pub fn notification(&self, outcome: NotificationOutcome) {
        self.notifications[outcome as usize].inc();
    }

    /// Items of an accepted notification; `place` is the type's place among the known ones, or beyond for `other`.
    pub fn items(&self, place: usize, kind: ItemKind, outcome: ItemOutcome, count: u64) {
        let place = place.min(TYPES - 1);
        self.items[(place * KINDS.len() + kind as usize) * ITEM_OUTCOMES.len() + outcome as usize].inc_by(count);
    }

    /// A notification with this type was accepted then.
    pub fn seen(&self, place: usize, at: UnixSeconds) {
        let place = place.min(TYPES - 1);
        self.last[place]
            .get_or_init(|| self.families.last_notification.with_label_values(&[type_label(place)]))
            .set(at.0);
    }

    /// When each type was last seen, by its place among the known ones; to be kept across restarts.
    pub fn last_seen(&self) -> Vec<(usize, UnixSeconds)> {
        let seen = |(place, gauge): (usize, &OnceLock<IntGauge>)| Some((place, UnixSeconds(gauge.get()?.get())));
        self.last.iter().enumerate().filter_map(seen).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::registry::Registry;

    #[test]
    fn timestamp_is_absent_until_a_notification_came_and_counters_are_not() {
        let registry = Registry::new();
        let door = IngestMetrics::register(&registry).door();
        let before = registry.render();
        assert!(!before.contains("studygate_last_notification_timestamp_seconds{"));
        assert!(before.contains("studygate_items_total{kind=\"ping\",outcome=\"accepted\",type=\"mct\"} 0\n"));
        door.seen(0, UnixSeconds(1_793_509_200));
        door.items(usize::MAX, ItemKind::Push, ItemOutcome::Accepted, 3);
        let after = registry.render();
        assert!(after.contains("studygate_last_notification_timestamp_seconds{type=\"activities\"} 1793509200\n"));
        assert!(after.contains("studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"other\"} 3\n"));
        assert_eq!(door.last_seen(), [(0, UnixSeconds(1_793_509_200))]);
    }
}
