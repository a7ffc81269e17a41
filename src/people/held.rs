//! A held connection: data of a user whom nobody has linked, kept for a while under keys of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    connection::{ClientId, GarminUserId},
    time::UnixSeconds,
};

/// The most types that are counted apart; further ones count as `other`.
pub const TYPES_MAX: usize = 64;
/// The longest device name that is kept, in characters.
pub const DEVICE_CHARS_MAX: usize = 64;

/// A held connection as stored, under its own data key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// The Garmin client.
    pub client: ClientId,
    /// The Garmin user.
    pub user: GarminUserId,
    /// The short random name it is shown by.
    pub handle: String,
    /// When its first item came.
    pub first_seen: UnixSeconds,
    /// When its last item came.
    pub last_seen: UnixSeconds,
    /// Items by summary type.
    pub items: BTreeMap<String, u64>,
    /// The last device named.
    pub device: Option<String>,
    /// Whether it has been linked, so that what is held waits to be filed for its participants.
    pub linked: bool,
}

/// What a batch of items adds to a held connection.
#[derive(Clone, Default)]
pub struct HeldNote {
    /// When they came.
    pub now: UnixSeconds,
    /// How many by summary type.
    pub items: BTreeMap<String, u64>,
    /// The last device they named.
    pub device: Option<String>,
}

impl Held {
    /// The connection after these items.
    pub fn noted(&self, note: &HeldNote) -> Self {
        let mut held = self.clone();
        held.last_seen = held.last_seen.max(note.now);
        for (name, count) in &note.items {
            let full = held.items.len() >= TYPES_MAX && !held.items.contains_key(name);
            let key = if full { "other" } else { name };
            let total = held.items.entry(key.to_owned()).or_default();
            *total = total.saturating_add(*count);
        }
        if let Some(device) = &note.device {
            held.device = Some(device.chars().filter(|c| !c.is_control()).take(DEVICE_CHARS_MAX).collect());
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held() -> Held {
        Held {
            client: ClientId::single(),
            user: GarminUserId::parse("u").expect("a user"),
            handle: "h".into(),
            first_seen: UnixSeconds(10),
            last_seen: UnixSeconds(10),
            items: BTreeMap::new(),
            device: None,
            linked: false,
        }
    }

    fn note(now: i64, name: &str, count: u64) -> HeldNote {
        HeldNote { now: UnixSeconds(now), items: BTreeMap::from([(name.to_owned(), count)]), device: None }
    }

    #[test]
    fn notes_add_up_and_the_device_stays_until_another_is_named() {
        let first = HeldNote { device: Some("Forerunner".into()), ..note(20, "epochs", 2) };
        let after = held().noted(&first).noted(&note(15, "epochs", 3));
        assert_eq!(after.items, BTreeMap::from([("epochs".to_owned(), 5)]));
        assert_eq!((after.first_seen, after.last_seen), (UnixSeconds(10), UnixSeconds(20)));
        assert_eq!(after.device.as_deref(), Some("Forerunner"));
    }

    #[test]
    fn types_beyond_the_limit_count_as_other() {
        let mut after = held();
        for number in 0..TYPES_MAX + 5 {
            after = after.noted(&note(20, &format!("type{number}"), 1));
        }
        assert_eq!(after.items.len(), TYPES_MAX + 1);
        assert_eq!(after.items.get("other"), Some(&5));
    }
}
