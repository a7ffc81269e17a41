//! What came, was revised or went between two choices of a participant's records.

use std::collections::{HashMap, HashSet};

use crate::dataset::source::What;
use crate::export::select::Chosen;
use crate::model::summary::SummaryType;
use crate::model::time::UnixSeconds;
use crate::records::index::{ContentDigest, IndexEntry, KeyDigest};

/// What became of the records.
#[derive(Debug, Default)]
pub struct Difference {
    /// What stands in the later choice and not so in the earlier one, in its order.
    pub came: Vec<(Chosen, What)>,
    /// What stands in the earlier choice alone, in its order.
    pub gone: Vec<Chosen>,
}

/// What names a record in a dataset; the revision where a dataset holds several.
type Name = (SummaryType, KeyDigest, Option<u32>);
/// Everything of a record that a dataset shows.
type Shown = (KeyDigest, ContentDigest, UnixSeconds, u32, bool);

/// The difference of two choices; `again` says of what stands in both that it counts as revised all the same.
pub fn difference(
    before: Vec<Chosen>,
    now: Vec<Chosen>,
    revisions: bool,
    again: impl Fn(&IndexEntry) -> bool,
) -> Difference {
    let name = |version: &Chosen| {
        (version.entry.summary_type.clone(), version.entry.record_id, revisions.then_some(version.revision))
    };
    let shown_before = shown(&before, &name);
    let shown_now = shown(&now, &name);
    let came = now.into_iter().filter_map(|version| {
        let named = name(&version);
        let what = match shown_before.get(&named) {
            None => What::Added,
            Some(shown) if shown_now.get(&named) == Some(shown) && !again(&version.entry) => return None,
            Some(_) => What::Revised,
        };
        Some((version, what))
    });
    let came = came.collect();
    let mut seen = HashSet::new();
    let is_gone = |version: &Chosen| !shown_now.contains_key(&name(version)) && seen.insert(name(version));
    let gone = before.into_iter().filter(is_gone).collect();
    Difference { came, gone }
}

fn shown(versions: &[Chosen], name: &impl Fn(&Chosen) -> Name) -> HashMap<Name, Vec<Shown>> {
    let mut shown: HashMap<Name, Vec<Shown>> = HashMap::with_capacity(versions.len());
    for version in versions {
        let Chosen { entry, revision, current, .. } = version;
        let of_this = (entry.key, entry.digest, entry.received, *revision, *current);
        shown.entry(name(version)).or_default().push(of_this);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::head::PackId;
    use crate::records::index::Place;

    fn version(record: u8, content: u8, revision: u32) -> Chosen {
        let entry = IndexEntry {
            summary_type: SummaryType::named("activities"),
            key: KeyDigest([record; 10]),
            record_id: KeyDigest([record; 10]),
            digest: ContentDigest([content; 8]),
            start: None,
            offset: None,
            received: UnixSeconds(i64::from(revision)),
            rank: 0,
            sequence: 1,
            data: Place::Packed { offset: 0, length: 0 },
            identity: (0, 0),
        };
        Chosen { pack: PackId::new(1, 0), entry, revision, current: true }
    }

    /// Record, revision and what became of it.
    #[track_caller]
    fn check(before: &[Chosen], now: &[Chosen], revisions: bool, expected: &[(u8, u32, What)]) {
        let found = difference(before.to_vec(), now.to_vec(), revisions, |_| false);
        let came = found.came.iter().map(|(version, what)| (version, *what));
        let gone = found.gone.iter().map(|version| (version, What::Removed));
        let all: Vec<_> =
            came.chain(gone).map(|(version, what)| (version.entry.record_id.0[0], version.revision, what)).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn what_stands_in_both_alike_is_no_difference() {
        let same = [version(1, 1, 1), version(2, 1, 1)];
        check(&same, &same, false, &[]);
        check(&same, &same, true, &[]);
    }

    #[test]
    fn each_difference_has_its_word() {
        let before = [version(1, 1, 1), version(2, 1, 1), version(3, 1, 1)];
        let now = [version(1, 1, 1), version(2, 2, 2), version(4, 1, 1)];
        let expected = [(2, 2, What::Revised), (4, 1, What::Added), (3, 1, What::Removed)];
        check(&before, &now, false, &expected);
    }

    #[test]
    fn of_all_revisions_each_is_a_record_of_its_own() {
        let (before, now) = ([version(1, 1, 1)], [version(1, 1, 1), version(1, 2, 2)]);
        check(&before, &now, true, &[(1, 2, What::Added)]);
        let displaced = [Chosen { current: false, ..version(1, 1, 1) }, version(1, 2, 2)];
        check(&before, &displaced, true, &[(1, 1, What::Revised), (1, 2, What::Added)]);
    }

    #[test]
    fn what_is_shown_otherwise_counts_as_revised() {
        let same = vec![version(1, 1, 1)];
        let found = difference(same.clone(), same, false, |_| true);
        assert_eq!((found.came.len(), found.came[0].1, found.gone.len()), (1, What::Revised, 0));
    }
}
