//! What was seen of the traffic that outlasts a run: when what came last, how large and how slow it was.
//!
//! In memory here; [`kept`](Observed::kept) is what goes into the store now and then, and comes back at a start.
//!
//! Never: anything of a person; a type's name that is not the program's own.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::id::StudyId;
use crate::model::time::UnixSeconds;

/// The label of types that are not known.
const OTHER: &str = "other";
const HOUR: i64 = 3600;
/// Of so many hours the slowest answers are known one by one.
const HOURS: i64 = 24;

/// What came of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// When it came first.
    pub first: UnixSeconds,
    /// When it came last.
    pub last: UnixSeconds,
    /// Items of it that had an owner and could be read.
    pub items: u64,
}

/// A body that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TakenBody {
    /// Its length as it was sent.
    pub bytes: u64,
    /// When it was answered.
    pub at: UnixSeconds,
}

/// How long a notification waited for its 200, from the request's head on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowAnswer {
    /// For so long.
    pub milliseconds: u64,
    /// When it was answered.
    pub at: UnixSeconds,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observations {
    /// Notifications by the label of their type.
    pub types: BTreeMap<String, Seen>,
    /// Deregistration notices.
    pub deregistrations: Option<Seen>,
    /// Notices of changed permissions.
    pub permission_changes: Option<Seen>,
    /// The largest body that was taken.
    pub largest_body: Option<TakenBody>,
    /// The slowest 200.
    pub slowest_answer: Option<SlowAnswer>,
    /// The slowest 200 of each of the last hours, by the hour.
    pub slowest_by_hour: BTreeMap<i64, SlowAnswer>,
    /// When the newest record of a study was stored.
    pub last_record: BTreeMap<StudyId, UnixSeconds>,
}

impl Observations {
    /// When a notification with this type came last; notices are of none that is known, so they count as `other`.
    pub fn last_notification(&self, label: &str) -> Option<UnixSeconds> {
        let notices = [self.deregistrations, self.permission_changes].into_iter().flatten();
        let notices = notices.filter(|_| label == OTHER);
        self.types.get(label).copied().into_iter().chain(notices).map(|seen| seen.last).max()
    }

    /// The slowest 200 of the last 24 hours.
    pub fn slowest_lately(&self, now: UnixSeconds) -> Option<SlowAnswer> {
        let lately = self.slowest_by_hour.range(now.0 / HOUR - HOURS + 1..);
        lately.map(|(_, slow)| *slow).max_by_key(|slow| slow.milliseconds)
    }
}

/// What an accepted item is, where it matters for what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came<'a> {
    /// A summary or a ping of a type with this label.
    Summary(&'a str),
    /// A deregistration notice.
    Deregistration,
    /// A notice of changed permissions.
    PermissionChange,
}

/// What is observed, shared by those who see it.
#[derive(Debug, Default)]
pub struct Observed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    observations: Observations,
    changes: u64,
}

impl Observed {
    /// What goes on from this.
    pub fn from_kept(observations: Observations) -> Self {
        Self(Mutex::new(State { observations, changes: 0 }))
    }

    /// Items came; `items` counts those that had an owner and could be read.
    pub fn came(&self, came: Came<'_>, items: u64, at: UnixSeconds) {
        self.change(|known| match came {
            Came::Summary(label) => match known.types.get_mut(label) {
                Some(seen) => add(seen, items, at),
                None => drop(known.types.insert(label.to_owned(), Seen { first: at, last: at, items })),
            },
            Came::Deregistration => note(&mut known.deregistrations, items, at),
            Came::PermissionChange => note(&mut known.permission_changes, items, at),
        });
    }

    /// A notification of so many bytes, as sent, was answered with 200 after this time.
    pub fn answered(&self, bytes: u64, after: Duration, at: UnixSeconds) {
        let slow = SlowAnswer { milliseconds: u64::try_from(after.as_millis()).unwrap_or(u64::MAX), at };
        let mut state = self.state();
        let State { observations: known, changes } = &mut *state;
        if known.largest_body.is_none_or(|largest| bytes > largest.bytes) {
            known.largest_body = Some(TakenBody { bytes, at });
            *changes += 1;
        }
        if known.slowest_answer.is_none_or(|slowest| slow.milliseconds > slowest.milliseconds) {
            known.slowest_answer = Some(slow);
            *changes += 1;
        }
        let hour = at.0 / HOUR;
        if known.slowest_by_hour.get(&hour).is_none_or(|slowest| slow.milliseconds > slowest.milliseconds) {
            known.slowest_by_hour.insert(hour, slow);
            known.slowest_by_hour.retain(|known, _| hour - HOURS < *known && *known <= hour);
            *changes += 1;
        }
    }

    /// A record of this study was stored.
    pub fn stored(&self, study: StudyId, at: UnixSeconds) {
        self.change(|known| {
            let newest = known.last_record.entry(study).or_insert(at);
            *newest = (*newest).max(at);
        });
    }

    /// As it is, and how many changes there have been: who keeps it need not where that is as before.
    pub fn kept(&self) -> (Observations, u64) {
        let state = self.state();
        (state.observations.clone(), state.changes)
    }

    fn change(&self, change: impl FnOnce(&mut Observations)) {
        let mut state = self.state();
        change(&mut state.observations);
        state.changes += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(seen: &mut Option<Seen>, items: u64, at: UnixSeconds) {
    match seen {
        Some(seen) => add(seen, items, at),
        None => *seen = Some(Seen { first: at, last: at, items }),
    }
}

fn add(seen: &mut Seen, items: u64, at: UnixSeconds) {
    seen.last = seen.last.max(at);
    seen.items = seen.items.saturating_add(items);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixSeconds = UnixSeconds(1_793_534_400);

    #[test]
    fn first_and_last_time_and_readable_items_of_a_kind_are_known() {
        let observed = Observed::default();
        observed.came(Came::Summary("dailies"), 3, NOON);
        observed.came(Came::Summary("dailies"), 0, NOON.plus(60));
        observed.came(Came::Deregistration, 1, NOON.plus(5));
        let (known, changes) = observed.kept();
        assert_eq!(known.types["dailies"], Seen { first: NOON, last: NOON.plus(60), items: 3 });
        assert_eq!(known.deregistrations.map(|seen| seen.items), Some(1));
        assert_eq!((known.permission_changes, changes), (None, 3));
    }

    #[test]
    fn largest_body_and_slowest_answer_stay_and_those_of_a_day_ago_are_not_of_the_last_day() {
        let observed = Observed::default();
        observed.answered(100, Duration::from_secs(9), NOON);
        observed.answered(50, Duration::from_millis(20), NOON.plus(23 * HOUR));
        let lately = |now| observed.kept().0.slowest_lately(now).map(|slow| slow.milliseconds);
        assert_eq!(lately(NOON.plus(23 * HOUR)), Some(9000));
        assert_eq!(lately(NOON.plus(24 * HOUR)), Some(20));
        let (known, changes) = observed.kept();
        assert_eq!(known.largest_body, Some(TakenBody { bytes: 100, at: NOON }));
        assert_eq!(known.slowest_answer, Some(SlowAnswer { milliseconds: 9000, at: NOON }));
        observed.answered(50, Duration::from_millis(10), NOON.plus(23 * HOUR));
        assert_eq!(observed.kept().1, changes, "what says nothing more is no change");
        observed.answered(50, Duration::from_millis(10), NOON.plus(300 * HOUR));
        assert_eq!(observed.kept().0.slowest_by_hour.len(), 1, "hours long ago are forgotten");
    }

    #[test]
    fn everything_comes_back_from_what_was_kept() {
        let observed = Observed::default();
        observed.came(Came::Summary("mct"), 1, NOON);
        observed.answered(7, Duration::from_millis(8), NOON);
        observed.stored(StudyId::from_bytes([5; 16]), NOON);
        let (known, _) = observed.kept();
        let text = serde_json::to_string(&known).expect("plain values");
        let back = Observed::from_kept(serde_json::from_str(&text).expect("the same values"));
        assert_eq!(back.kept(), (known, 0));
    }
}
