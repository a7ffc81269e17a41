//! Which version of which record stands in a dataset.

use std::collections::HashMap;

use crate::dataset::format::Format;
use crate::model::participant::{Moment, Participant, Window};
use crate::model::summary::SummaryType;
use crate::records::head::PackId;
use crate::records::index::{IndexEntry, KeyDigest};

/// What of a study goes into a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Codes of the participants; empty = all.
    pub participants: Vec<String>,
    /// Names of the tables; empty = all.
    pub tables: Vec<String>,
    /// The format of the tables.
    pub format: Format,
    /// Event times.
    pub window: Window,
    /// Every version of a record, not the current one alone.
    pub revisions: bool,
    /// Only what came, changed or went since the export of this number, whose scope it has.
    pub since: Option<u32>,
    /// The export of this number once more.
    pub as_of: Option<u32>,
}

/// A record that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The pack it is in.
    pub pack: PackId,
    /// Its entry.
    pub entry: IndexEntry,
    /// Which of the record's versions it is, from 1 in the order of arrival.
    pub revision: u32,
    /// Whether it is the one that counts.
    pub current: bool,
}

/// The records of one participant that stand in the dataset, in its order: start (none first), then record.
pub fn select(
    entries: impl IntoIterator<Item = (PackId, IndexEntry)>,
    participant: &Participant,
    scope: &Scope,
    wanted: impl Fn(&SummaryType) -> bool,
) -> Vec<Chosen> {
    let mut chosen = versions(entries.into_iter().filter(|(_, entry)| wanted(&entry.summary_type)));
    chosen.retain(|version| {
        let at = version.entry.start.unwrap_or(version.entry.received);
        let time = Moment { at, offset: version.entry.offset };
        (version.current || scope.revisions) && participant.collects(time) && scope.window.contains(time)
    });
    chosen
}

/// Every version of every record, in the same order.
pub fn versions(entries: impl IntoIterator<Item = (PackId, IndexEntry)>) -> Vec<Chosen> {
    let mut versions: HashMap<(SummaryType, KeyDigest), Vec<(PackId, IndexEntry)>> = HashMap::new();
    for (pack, entry) in entries {
        versions.entry((entry.summary_type.clone(), entry.key)).or_default().push((pack, entry));
    }
    let mut chosen = Vec::with_capacity(versions.len());
    for mut held in versions.into_values() {
        // Of two that arrived at once, the one that was filed later; in the order that merging packs keeps.
        held.sort_by_key(|(_, entry)| (entry.received, entry.sequence, entry.start, entry.record_id));
        let last = (1..).zip(&held).max_by_key(|(_, (_, entry))| entry.currency()).map(|(revision, _)| revision);
        for (revision, (pack, entry)) in (1..).zip(held) {
            chosen.push(Chosen { pack, entry, revision, current: last == Some(revision) });
        }
    }
    chosen.sort_by(|left, right| left.entry.sort_key().cmp(&right.entry.sort_key()));
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{OwnerId, StudyId};
    use crate::model::participant::ParticipantState;
    use crate::model::time::UnixSeconds;
    use crate::records::index::{ContentDigest, Place};

    fn participant(from: i64) -> Participant {
        Participant {
            id: OwnerId::from_bytes([1; 16]),
            study: StudyId::from_bytes([2; 16]),
            code: "A-1".into(),
            state: ParticipantState::Active,
            window: Window { from: Some(UnixSeconds(from).into()), to: None },
            pauses: Vec::new(),
            consent: None,
            added: UnixSeconds(0),
            lock: None,
            shift: None,
        }
    }

    fn version(start: i64, rank: i64, received: i64) -> (PackId, IndexEntry) {
        let entry = IndexEntry {
            summary_type: SummaryType::named("activities"),
            key: KeyDigest([start as u8; 10]),
            record_id: KeyDigest([start as u8; 10]),
            digest: ContentDigest([received as u8; 8]),
            start: Some(UnixSeconds(start)),
            offset: None,
            received: UnixSeconds(received),
            rank,
            sequence: received as u64,
            data: Place::Packed { offset: 0, length: 0 },
            identity: (0, 0),
        };
        (PackId::new(1, 0), entry)
    }

    #[test]
    fn old_version_that_a_retry_brings_late_does_not_win() {
        let entries = [version(10, 600, 1), version(10, 300, 2)];
        let chosen = select(entries, &participant(0), &Scope::default(), |_| true);
        assert_eq!(chosen.iter().map(|version| (version.revision, version.entry.rank)).collect::<Vec<_>>(), [(1, 600)]);
    }

    #[test]
    fn of_equal_ranks_the_later_arrival_is_current() {
        let entries = [version(10, 300, 2), version(10, 300, 1)];
        let chosen = select(entries, &participant(0), &Scope::default(), |_| true);
        assert_eq!(chosen.iter().map(|version| version.revision).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn all_versions_come_where_they_are_asked_for() {
        let scope = Scope { revisions: true, ..Scope::default() };
        let chosen = select([version(10, 2, 1), version(10, 1, 2)], &participant(0), &scope, |_| true);
        let chosen: Vec<_> = chosen.iter().map(|version| (version.revision, version.current)).collect();
        assert_eq!(chosen, [(1, true), (2, false)]);
    }

    #[test]
    fn of_versions_that_arrived_at_once_one_is_current() {
        let entries = [version(10, 300, 1), version(10, 300, 1)];
        for revisions in [false, true] {
            let scope = Scope { revisions, ..Scope::default() };
            let chosen = select(entries.clone(), &participant(0), &scope, |_| true);
            let current: Vec<_> = chosen.iter().filter(|version| version.current).map(|one| one.revision).collect();
            assert_eq!(current, [2]);
        }
    }

    #[test]
    fn record_outside_the_participants_window_stays_out() {
        assert!(select([version(10, 1, 1)], &participant(11), &Scope::default(), |_| true).is_empty());
    }
}
