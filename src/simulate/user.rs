//! Made-up Garmin users: identifiers of Garmin's shapes, a home, a watch, and habits.

use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::random::Random;

const TOWNS: &[&str] = &["Ostenwick", "Marrowby", "Quillhaven", "Dunmarsh", "Felsgrund", "Vaardal", "Torrecinta"];
const DEVICES: &[&str] = &["Forerunner 955", "vivoactive 5", "Venu 3S", "fenix 7", "Instinct 2"];
const OFFSETS_S: &[i32] = &[3600, 0, -18_000, 19_800, 7200];

/// The largest integer that a double holds together with all below it; ids beyond it break in a float.
const DOUBLE_EXACT: u64 = 1 << 53;

/// How a user's activityIds are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityIds {
    /// As numbers of ten digits.
    Numbers,
    /// As text of ten digits.
    Text,
    /// As numbers beyond 2^53.
    LargeNumbers,
    /// As text beyond 2^53.
    LargeText,
}

/// What a user logs in menstrual cycle tracking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// Nothing.
    NotTracked,
    /// Cycles of this many days.
    Regular(u8),
    /// A pregnancy.
    Pregnant,
}

/// A user of the simulated Garmin.
#[derive(Clone, Debug)]
pub struct User {
    /// Its place in the population, from 0.
    pub index: usize,
    /// `userId`: 32 hexadecimal digits.
    pub id: String,
    /// `userAccessToken`, as OAuth 1 apps get it.
    pub token: String,
    /// What the summaryIds of this user's health records begin with.
    pub prefix: String,
    /// How activityIds are written.
    pub activity_ids: ActivityIds,
    /// Seconds from UTC to the user's local time.
    pub offset_s: i32,
    /// A town that does not exist; activity names begin with it.
    pub town: &'static str,
    /// `deviceName`.
    pub device: &'static str,
    /// What is logged in cycle tracking.
    pub cycle: Cycle,
    /// Degrees north of where the user starts to run.
    pub latitude: f64,
    /// Degrees east of it.
    pub longitude: f64,
    /// The serial number of the watch, ten digits; activity files carry it.
    pub serial: u32,
    seed: u64,
}

/// Users that belong to one seed.
#[derive(Clone, Debug)]
pub struct Population {
    users: Vec<User>,
}

impl Population {
    /// The first `count` users of this seed's world.
    pub fn new(seed: u64, count: usize) -> Self {
        Self { users: (0..count).map(|index| User::of(seed, index)).collect() }
    }

    /// All of them, in order.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The user at this place.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn user(&self, index: usize) -> &User {
        &self.users[index]
    }
}

impl User {
    fn of(seed: u64, index: usize) -> Self {
        let mut random = Random::at(seed, &[index as u64]);
        let id = random.hex(32);
        let token =
            format!("{}-{}-{}-{}-{}", random.hex(8), random.hex(4), random.hex(4), random.hex(4), random.hex(12));
        Self {
            index,
            id,
            token,
            prefix: format!("x{}", random.hex(7)),
            activity_ids: match index % 4 {
                0 => ActivityIds::Numbers,
                1 => ActivityIds::LargeNumbers,
                2 => ActivityIds::LargeText,
                _ => ActivityIds::Text,
            },
            offset_s: OFFSETS_S[index % OFFSETS_S.len()],
            town: random.pick(TOWNS),
            device: random.pick(DEVICES),
            cycle: match index % 4 {
                0 => Cycle::Regular(26 + u8::try_from(random.below(6)).unwrap_or(0)),
                1 => Cycle::Pregnant,
                _ => Cycle::NotTracked,
            },
            latitude: random.decimal(-56.0, 66.0, 9),
            longitude: random.decimal(-170.0, 170.0, 9),
            serial: u32::try_from(random.between(3_000_000_000, 4_200_000_000)).unwrap_or(u32::MAX),
            seed,
        }
    }

    /// The numbers of this user at a place of its life.
    pub(super) fn random(&self, place: &[u64]) -> Random {
        let mut whole = vec![self.index as u64, 1];
        whole.extend_from_slice(place);
        Random::at(self.seed, &whole)
    }

    /// When the user's own day begins whose date is that of this midnight (UTC).
    pub fn local_midnight(&self, midnight: UnixSeconds) -> UnixSeconds {
        midnight.plus(-i64::from(self.offset_s))
    }

    /// The activityId of the user's `number`th activity, its text without quotes.
    pub fn activity_id(&self, number: u64) -> String {
        let mut random = self.random(&[u64::from(b'a'), number]);
        let id = match self.activity_ids {
            ActivityIds::Numbers | ActivityIds::Text => 1_000_000_000 + random.below(8_999_999_999),
            // Odd: no double can hold it.
            ActivityIds::LargeNumbers | ActivityIds::LargeText => DOUBLE_EXACT + (random.below(DOUBLE_EXACT) | 1),
        };
        id.to_string()
    }

    /// An activityId as this user's records write it: a JSON number or string.
    pub fn activity_id_value(&self, text: &str) -> Value {
        match (self.activity_ids, text.parse::<u64>()) {
            (ActivityIds::Numbers | ActivityIds::LargeNumbers, Ok(number)) => json!(number),
            _ => json!(text),
        }
    }

    /// The summaryId of a health record: the user's prefix, then what tells it from the user's others.
    pub fn summary_id(&self, seconds: i64) -> String {
        format!("{}-{seconds:x}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_the_same_in_every_run_and_differ_from_each_other() {
        let (first, second) = (Population::new(1, 40), Population::new(1, 20));
        for (one, other) in first.users().iter().zip(second.users()) {
            assert_eq!((&one.id, &one.prefix, one.activity_id(3)), (&other.id, &other.prefix, other.activity_id(3)));
        }
        let mut ids: Vec<&str> = first.users().iter().map(|user| user.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 40);
        assert!(ids.iter().all(|id| id.len() == 32));
    }

    #[test]
    fn some_activity_ids_do_not_fit_a_double() {
        let user = Population::new(5, 2).user(1).clone();
        let text = user.activity_id(0);
        let number = user.activity_id_value(&text).as_u64().expect("a number");
        assert_eq!(number.to_string(), text);
        assert_ne!((number as f64) as u64, number, "the id would survive a float");
    }
}
