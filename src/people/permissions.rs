//! What a Garmin user permits the gateway to get: the lists that were told of one connection, and which of them held
//! when a body came.
//!
//! A list holds for its own body and for every later one. What came before is judged by the list before it, however
//! late it is filed; so some lists are kept behind the newest one. Where none is known, everything is permitted.
//!
//! What was held for a connection goes through the journal once more when it is linked, with the time it came: where that
//! is the second of a change, it counts as come after it.
//!
//! Limits: [`TOLD_MAX`] lists of [`GRANTED_MAX`] permissions, [`REFUSED_MAX`] refused types.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    summary::{Permission, SummaryType},
    time::UnixSeconds,
};

/// The most lists that are kept, the newest one among them.
pub const TOLD_MAX: usize = 32;
/// The most permissions that are kept of one list.
pub const GRANTED_MAX: usize = 32;
/// The most types that are kept as refused.
pub const REFUSED_MAX: usize = 32;
/// The longest name of a permission, or of a refused type, that is kept, in characters.
const NAME_CHARS_MAX: usize = 64;

/// When a body came; bodies of one second are in the order in which they stand in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Came {
    /// When its last byte came.
    pub received: UnixSeconds,
    /// Its place in the journal.
    pub body: u64,
}

/// One list, as it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The whole list that held from then on; empty = all withdrawn.
    pub granted: Vec<String>,
    /// When they changed, as Garmin says.
    pub changed: UnixSeconds,
    /// When the notice came.
    pub came: Came,
    /// Where in its body the notice begins.
    pub item: u64,
}

/// What is known of a connection's permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Permissions {
    /// What was told, in the order in which it held; the last holds.
    told: Vec<Told>,
    /// The types that Garmin has refused since as not permitted, and when.
    refused: BTreeMap<String, UnixSeconds>,
}

/// The stored forms.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Stored {
    Lists {
        told: Vec<Told>,
        refused: BTreeMap<String, UnixSeconds>,
    },
    /// Without the time of its arrival.
    OneList {
        granted: Vec<String>,
        changed: UnixSeconds,
    },
}

impl From<Stored> for Permissions {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Lists { told, refused } => Self { told, refused },
            // It is known to hold from the second after the one it is of.
            Stored::OneList { granted, changed } => {
                let came = Came { received: changed, body: u64::MAX };
                Self { told: vec![Told { granted, changed, came, item: 0 }], refused: BTreeMap::new() }
            }
        }
    }
}

impl Told {
    /// A list of these names. Whatever else is among them, the known permissions are kept.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>, changed: UnixSeconds, came: Came, item: u64) -> Self {
        let mut granted: Vec<String> = Vec::new();
        let (known, other): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| Permission::ALL.iter().any(|permission| permission.name() == *name));
        for name in known.into_iter().chain(other.into_iter().filter(|name| is_name(name))) {
            if granted.len() < GRANTED_MAX && !granted.iter().any(|before| before == name) {
                granted.push(name.to_owned());
            }
        }
        Self { granted, changed, came, item }
    }

    fn permits(&self, summary_type: &SummaryType) -> bool {
        let needed = summary_type.known().map(|known| known.permission.name());
        needed.is_none_or(|needed| self.granted.iter().any(|granted| granted == needed))
    }

    /// Later changes hold over earlier ones, and of changes of one second the one that came later.
    pub(super) fn order(&self) -> (UnixSeconds, Came, u64) {
        (self.changed, self.came, self.item)
    }
}

impl Permissions {
    /// The list that holds, where one was told.
    pub fn current(&self) -> Option<&Told> {
        self.told.last()
    }

    /// Every list that is kept, in the order in which they held.
    pub fn told(&self) -> &[Told] {
        &self.told
    }

    /// The types that Garmin has refused since, and when.
    pub fn refused(&self) -> &BTreeMap<String, UnixSeconds> {
        &self.refused
    }

    /// Whether this list holds already.
    pub fn knows(&self, told: &Told) -> bool {
        self.current().is_some_and(|current| current.order() == told.order())
    }

    /// What is known after this; `None` where what is known is as new.
    ///
    /// Of the lists of one body the last alone counts: it holds for all of the body.
    pub fn after(&self, told: Told) -> Option<Self> {
        if self.current().is_some_and(|current| current.order() >= told.order()) {
            return None;
        }
        let mut after = Self { told: self.told.clone(), refused: BTreeMap::new() };
        after.told.retain(|before| before.came != told.came);
        after.told.push(told);
        let surplus = after.told.len().saturating_sub(TOLD_MAX);
        after.told.drain(..surplus);
        Some(after)
    }

    /// What is known after Garmin has refused this type, asked at this time; `None` where a list that came later
    /// says what holds, or nothing more is kept.
    pub fn after_refusal(&self, summary_type: &SummaryType, asked: UnixSeconds) -> Option<Self> {
        if self.current().is_some_and(|current| current.came.received > asked) {
            return None;
        }
        let name: String = summary_type.name().chars().take(NAME_CHARS_MAX).collect();
        let known = self.refused.get(&name);
        if known.is_some_and(|before| *before >= asked) || (known.is_none() && self.refused.len() >= REFUSED_MAX) {
            return None;
        }
        let mut after = self.clone();
        after.refused.insert(name, asked);
        Some(after)
    }

    /// Whether a record of this type is permitted that came then.
    pub fn permits(&self, summary_type: &SummaryType, came: Came) -> bool {
        let held = self.told.iter().rev().find(|told| told.came <= came);
        held.is_none_or(|told| told.permits(summary_type))
    }

    /// Whether a record of this type is permitted by the list that holds.
    pub fn permits_now(&self, summary_type: &SummaryType) -> bool {
        self.current().is_none_or(|told| told.permits(summary_type))
    }
}

/// Garmin writes permissions in capitals; anything else is not shown to be one, and may be anything.
fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &str = "ACTIVITY_EXPORT,HEALTH_EXPORT,MCT_EXPORT";

    fn came(received: i64, body: u64) -> Came {
        Came { received: UnixSeconds(received), body }
    }

    fn told(list: &str, changed: i64, at: Came, item: u64) -> Told {
        Told::new(list.split(',').filter(|name| !name.is_empty()), UnixSeconds(changed), at, item)
    }

    /// Tells one list after the other; those that change nothing are passed over.
    fn all(lists: &[Told]) -> Permissions {
        let tell = |known: Permissions, list: &Told| known.after(list.clone()).unwrap_or(known);
        lists.iter().fold(Permissions::default(), tell)
    }

    fn now(permissions: &Permissions) -> String {
        permissions.current().map_or_else(|| "none".to_owned(), |told| told.granted.join(","))
    }

    #[test]
    fn list_with_the_latest_change_holds_and_of_equal_ones_the_later_arrival() {
        let check = |lists: &[(&str, i64, Came, u64)], expected: &str| {
            let lists: Vec<_> =
                lists.iter().map(|(list, changed, at, item)| told(list, *changed, *at, *item)).collect();
            assert_eq!(now(&all(&lists)), expected, "{lists:?}");
        };
        let (one, two) = (came(100, 1), came(100, 2));
        check(&[], "none");
        check(&[("HEALTH_EXPORT", 10, one, 0)], "HEALTH_EXPORT");
        check(&[("HEALTH_EXPORT", 10, one, 0), ("", 11, two, 0)], "");
        check(&[("HEALTH_EXPORT", 10, one, 0), ("", 9, two, 0)], "HEALTH_EXPORT");
        check(&[("HEALTH_EXPORT", 10, one, 0), ("", 10, two, 0)], "");
        check(&[("HEALTH_EXPORT", 10, two, 0), ("", 10, one, 0)], "HEALTH_EXPORT");
        check(&[("HEALTH_EXPORT", 10, came(101, 1), 0), ("", 10, came(100, 2), 0)], "HEALTH_EXPORT");
        // Off, on, off in one body, all of one second; then the same body again.
        let thrice = [("", 10, one, 5), ("HEALTH_EXPORT", 10, one, 50), ("", 10, one, 90)];
        check(&thrice, "");
        check(&[thrice[0], thrice[1], thrice[2], thrice[0], thrice[1], thrice[2]], "");
        check(&[("MCT_EXPORT", 12, one, 5), ("", 11, one, 50), ("HEALTH_EXPORT", 13, one, 90)], "HEALTH_EXPORT");
    }

    #[test]
    fn record_is_judged_by_the_list_that_held_when_it_came() {
        let lists =
            [told("HEALTH_EXPORT", 10, came(100, 3), 0), told("", 20, came(200, 6), 0), told(ALL, 30, came(300, 9), 0)];
        let permissions = all(&lists);
        let check = |summary_type: &str, at: Came, expected: bool| {
            assert_eq!(permissions.permits(&SummaryType::named(summary_type), at), expected, "{summary_type} {at:?}");
        };
        check("activities", came(99, 2), true);
        check("activities", came(100, 2), true);
        check("activities", came(100, 3), false);
        check("sleeps", came(100, 3), true);
        check("sleeps", came(200, 5), true);
        check("sleeps", came(200, 6), false);
        check("sleeps", came(250, 7), false);
        check("mct", came(299, 8), false);
        check("mct", came(300, 9), true);
        check("sleeps", came(150, 900), true);
        check("heartBeats", came(250, 7), true);
        assert!(Permissions::default().permits(&SummaryType::named("mct"), came(1, 1)));
    }

    #[test]
    fn each_type_needs_its_own_permission_and_unknown_types_need_none() {
        let check = |list: &str, expected: [bool; 5]| {
            let permissions = all(&[told(list, 1, came(1, 1), 0)]);
            let types = ["activityFiles", "moveIQActivities", "bodyComps", "mct", "heartBeats"];
            assert_eq!(types.map(|name| permissions.permits_now(&SummaryType::named(name))), expected, "{list}");
        };
        check("ACTIVITY_EXPORT", [true, true, false, false, true]);
        check("HEALTH_EXPORT", [false, false, true, false, true]);
        check("MCT_EXPORT", [false, false, false, true, true]);
        check("WORKOUT_IMPORT,health_export,HEALTH_EXPORT_2", [false, false, false, false, true]);
        check("", [false, false, false, false, true]);
    }

    #[test]
    fn known_permissions_are_kept_among_any_others() {
        let other: Vec<_> = (0..100).map(|number| format!("OTHER_{number}")).collect();
        let names = other.iter().map(String::as_str).chain(["a name", "x@y.example", "", "MCT_EXPORT", "MCT_EXPORT"]);
        let told = Told::new(names, UnixSeconds(1), came(1, 1), 0);
        assert_eq!((told.granted.len(), told.granted[0].as_str()), (GRANTED_MAX, "MCT_EXPORT"));
        assert!(told.granted[1..].iter().all(|name| name.starts_with("OTHER_")));
    }

    #[test]
    fn refusal_is_noted_until_a_later_list_and_overrides_none() {
        let sleeps = SummaryType::named("sleeps");
        let noted = Permissions::default().after_refusal(&sleeps, UnixSeconds(50)).expect("noted");
        assert_eq!(noted.refused(), &BTreeMap::from([("sleeps".to_owned(), UnixSeconds(50))]));
        assert!(noted.permits_now(&sleeps) && noted.current().is_none());
        assert_eq!(noted.after_refusal(&sleeps, UnixSeconds(50)), None);
        let listed = noted.after(told(ALL, 60, came(60, 1), 0)).expect("newer");
        assert!(listed.refused().is_empty());
        assert_eq!(listed.after_refusal(&sleeps, UnixSeconds(59)), None);
        assert_eq!(now(&listed.after_refusal(&sleeps, UnixSeconds(61)).expect("noted")), ALL);
        let full = (0..REFUSED_MAX).fold(noted, |before, number| {
            let other = SummaryType::named(&format!("other{number}"));
            before.after_refusal(&other, UnixSeconds(51)).unwrap_or(before)
        });
        assert_eq!(full.refused().len(), REFUSED_MAX);
    }

    #[test]
    fn lists_that_are_kept_are_limited_to_the_newest() {
        let lists: Vec<_> = (0..100).map(|number| told("", number, came(number, number.unsigned_abs()), 0)).collect();
        let permissions = all(&lists);
        assert_eq!((permissions.told.len(), permissions.current()), (TOLD_MAX, lists.last()));
    }

    #[test]
    fn both_stored_forms_are_read() {
        let permissions = all(&[told("MCT_EXPORT", 10, came(20, 3), 7)]);
        let text = serde_json::to_string(&permissions).expect("JSON");
        assert_eq!(serde_json::from_str::<Permissions>(&text).expect("it opens"), permissions);
        let earlier: Permissions = serde_json::from_str(r#"{"granted":["MCT_EXPORT"],"changed":10}"#).expect("opens");
        assert_eq!(now(&earlier), "MCT_EXPORT");
        let sleeps = SummaryType::named("sleeps");
        assert!(earlier.permits(&sleeps, came(10, 400)) && !earlier.permits(&sleeps, came(11, 1)));
        assert!(serde_json::from_str::<Permissions>("{}").is_err());
    }
}
