//! Metrics of the door: notifications and their items.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::{IntCounter, IntGauge};

use crate::model::{summary::KNOWN, time::UnixSeconds};
use crate::telemetry::families::group;
use crate::telemetry::observed::{Came, Observed};

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
        for result in ["applied", "locked", "awaiting", "dropped", "ended", "repeated", "unknown"] {
            self.deregistrations.with_label_values(&[result]);
        }
        for result in ["applied", "older", "ahead", "unknown", "unreadable"] {
            self.permission_changes.with_label_values(&[result]);
        }
    }

    /// The counters of the door, looked up once; what is seen is kept by nobody.
    pub fn door(&self) -> DoorMetrics {
        self.door_observed(Arc::default())
    }

    /// The same, with what was seen before, which goes on.
    pub fn door_observed(&self, observed: Arc<Observed>) -> DoorMetrics {
        let mut items = Vec::with_capacity(TYPES * KINDS.len() * ITEM_OUTCOMES.len());
        for place in 0..TYPES {
            for kind in KINDS {
                for outcome in ITEM_OUTCOMES {
                    items.push(self.items.with_label_values(&[kind, type_label(place), outcome]));
                }
            }
        }
        let door = DoorMetrics {
            notifications: OUTCOMES.map(|outcome| self.notifications.with_label_values(&[outcome])),
            items,
            last: std::array::from_fn(|_| OnceLock::new()),
            families: self.clone(),
            observed,
        };
        let (known, _) = door.observed.kept();
        for place in 0..TYPES {
            if let Some(last) = known.last_notification(type_label(place)) {
                door.show_last(place, last);
            }
        }
        door
    }
}

/// The counters of the door; counting takes no lock and no look-up by name.
#[derive(Debug)]
pub struct DoorMetrics {
    notifications: [IntCounter; OUTCOMES.len()],
    items: Vec<IntCounter>,
    last: [OnceLock<IntGauge>; TYPES],
    families: IngestMetrics,
    observed: Arc<Observed>,
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

    /// A notification with items of this type and kind was accepted then; `readable` counts those that go to filing.
    pub fn seen(&self, place: usize, kind: ItemKind, readable: u64, at: UnixSeconds) {
        let place = place.min(TYPES - 1);
        self.show_last(place, at);
        let came = match kind {
            ItemKind::Deregistration => Came::Deregistration,
            ItemKind::PermissionChange => Came::PermissionChange,
            ItemKind::Push | ItemKind::Ping | ItemKind::Malformed | ItemKind::Pulled | ItemKind::File => {
                Came::Summary(type_label(place))
            }
        };
        self.observed.came(came, readable, at);
    }

    /// A notification of so many bytes was answered with 200, after this time.
    pub fn answered(&self, bytes: u64, after: Duration, at: UnixSeconds) {
        self.observed.answered(bytes, after, at);
    }

    fn show_last(&self, place: usize, at: UnixSeconds) {
        self.last[place]
            .get_or_init(|| self.families.last_notification.with_label_values(&[type_label(place)]))
            .set(at.0);
    }

    /// When each type was last seen, by its place among the known ones.
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
        door.seen(0, ItemKind::Push, 1, UnixSeconds(1_793_509_200));
        door.items(usize::MAX, ItemKind::Push, ItemOutcome::Accepted, 3);
        let after = registry.render();
        assert!(after.contains("studygate_last_notification_timestamp_seconds{type=\"activities\"} 1793509200\n"));
        assert!(after.contains("studygate_items_total{kind=\"push\",outcome=\"accepted\",type=\"other\"} 3\n"));
        assert_eq!(door.last_seen(), [(0, UnixSeconds(1_793_509_200))]);
    }
    #[test]
    fn last_notification_of_each_type_is_shown_again_after_a_start() {
        let at = UnixSeconds(1_793_509_200);
        let before = IngestMetrics::register(&Registry::new()).door();
        before.seen(5, ItemKind::Ping, 1, at);
        before.seen(usize::MAX, ItemKind::Deregistration, 1, at.plus(1));
        let registry = Registry::new();
        let (known, _) = before.observed.kept();
        let after = IngestMetrics::register(&registry).door_observed(Arc::new(Observed::from_kept(known)));
        assert_eq!(after.last_seen(), [(5, at), (TYPES - 1, at.plus(1))], "notices are of no known type");
        assert!(registry.render().contains("studygate_last_notification_timestamp_seconds{type=\"mct\"} 1793509200\n"));
    }
}
