//! Counts the items of one body, to be added to the metrics once it is durable.

use std::sync::Arc;

use crate::model::{
    entry::{Entry, Shape, Whose},
    summary::{DEREGISTRATIONS, KNOWN, PERMISSION_CHANGES},
    time::UnixSeconds,
};
use crate::telemetry::ingest::{DoorMetrics, ItemKind, ItemOutcome};

/// Counts per type, kind and outcome; a body has few of them.
pub(crate) struct Tally {
    /// What a summary counts as.
    summary: ItemKind,
    counts: Vec<(usize, ItemKind, ItemOutcome, u64)>,
    /// The key seen last and its type's place: items of one key follow each other.
    last: Option<(Arc<str>, usize)>,
}

impl Tally {
    /// Of what Garmin sent by itself.
    pub(crate) fn of_notification() -> Self {
        Self { summary: ItemKind::Push, counts: Vec::new(), last: None }
    }

    /// Of what was asked for.
    pub(crate) fn of_answer() -> Self {
        Self { summary: ItemKind::Pulled, counts: Vec::new(), last: None }
    }

    /// An entry of the body.
    pub(crate) fn note(&mut self, entry: &Entry) {
        let place = self.place(&entry.member);
        let (kind, outcome) = classify(entry, self.summary);
        match self.counts.iter_mut().find(|row| (row.0, row.1, row.2) == (place, kind, outcome)) {
            Some(row) => row.3 += 1,
            None => self.counts.push((place, kind, outcome, 1)),
        }
    }

    /// The body is durable.
    pub(crate) fn publish(&self, metrics: &DoorMetrics, received: UnixSeconds) {
        for &(place, kind, outcome, count) in &self.counts {
            metrics.items(place, kind, outcome, count);
            // An answer comes when the gateway asks: it says nothing of what Garmin sends.
            if self.summary == ItemKind::Push {
                let readable = if outcome == ItemOutcome::Accepted { count } else { 0 };
                metrics.seen(place, kind, readable, received);
            }
        }
    }

    /// How many entries there were.
    pub(crate) fn items(&self) -> u64 {
        self.counts.iter().map(|row| row.3).sum()
    }

    fn place(&mut self, member: &Arc<str>) -> usize {
        if let Some((last, place)) = &self.last
            && (Arc::ptr_eq(last, member) || last == member)
        {
            return *place;
        }
        let place = KNOWN.iter().position(|known| known.name == &**member).unwrap_or(KNOWN.len());
        self.last = Some((Arc::clone(member), place));
        place
    }
}

fn classify(entry: &Entry, summary: ItemKind) -> (ItemKind, ItemOutcome) {
    let kind = match entry.shape {
        Shape::NotAnObject | Shape::NotAnArray => return (ItemKind::Malformed, ItemOutcome::Quarantined),
        Shape::File => ItemKind::File,
        Shape::UnexpectedFile => return (ItemKind::File, ItemOutcome::Quarantined),
        Shape::Push | Shape::Ping if &*entry.member == DEREGISTRATIONS => ItemKind::Deregistration,
        Shape::Push | Shape::Ping if &*entry.member == PERMISSION_CHANGES => ItemKind::PermissionChange,
        Shape::Ping => ItemKind::Ping,
        Shape::Push => summary,
    };
    match entry.whose {
        Whose::User(_) => (kind, ItemOutcome::Accepted),
        Whose::Nobody | Whose::Unreadable => (kind, ItemOutcome::Quarantined),
    }
}
