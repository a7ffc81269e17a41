//! One summary of one user, and how a later version of it comes about.

use serde_json::{Map, Value, json};

use crate::model::summary::{Currency, NaturalKey, SummaryType};
use crate::model::time::UnixSeconds;
use crate::simulate::today::Today;
use crate::simulate::user::User;
use crate::simulate::{activity, cycle, health, night, vitals};

/// A summary as Garmin would send it, without whose it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Whose it is: the user's place in the population.
    pub user: usize,
    /// The key it stands under in a notification.
    pub summary_type: String,
    /// Its members, without `userId` and `userAccessToken`.
    pub content: Map<String, Value>,
}

/// Members that a dataset under default rules leaves out or replaces, wherever they stand in a record.
const IDENTIFYING: &[&str] = &[
    "userId",
    "userAccessToken",
    "callbackURL",
    "summaryId",
    "activityId",
    "parentSummaryId",
    "activityName",
    "activityDescription",
    "startingLatitudeInDegree",
    "startingLongitudeInDegree",
    "latitudeInDegree",
    "longitudeInDegree",
    "title",
];

/// How much a simulated day holds.
#[derive(Clone, Copy, Debug)]
pub struct Density {
    /// Epochs of 15 minutes a day, spread over it; at most 96.
    pub epochs: u32,
    /// Samples of one activity, spread over it; at most one a second.
    pub samples: u32,
}

impl Density {
    /// All that Garmin has: every epoch, and activity details with a sample every second.
    pub const FULL: Self = Self { epochs: 96, samples: u32::MAX };
}

impl Default for Density {
    fn default() -> Self {
        Self { epochs: 4, samples: 30 }
    }
}

/// Everything a user's devices and entries report of the day whose date is that of `midnight` (UTC), in the order it
/// comes. Times are those of the place where the user lives.
pub fn day(user: &User, midnight: UnixSeconds, density: Density) -> Vec<Record> {
    let today = Today::of(user, midnight);
    let mut records = vec![health::daily_of(user, &today)];
    records.extend(health::epochs_of(user, &today, density.epochs));
    records.extend(night::of_today(user, &today));
    records.extend(vitals::of_today(user, &today));
    records.extend(activity::of_day(user, &today, density.samples));
    records.extend(activity::manual(user, &today));
    records.extend(activity::move_iq(user, &today));
    records.extend(cycle::of_day(user, midnight));
    records
}

impl Record {
    /// The record of this type with these members; anything but an object becomes an empty one.
    pub fn new(user: &User, summary_type: &str, content: Value) -> Self {
        let content = match content {
            Value::Object(members) => members,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
        };
        Self { user: user.index, summary_type: summary_type.to_owned(), content }
    }

    /// What makes it the same record as another of its user and type; where the type names none, its whole content.
    pub fn natural_key(&self) -> String {
        let member = match SummaryType::named(&self.summary_type).known().map(|known| known.key) {
            Some(NaturalKey::PeriodStartDate) => "periodStartDate",
            Some(NaturalKey::CalendarDate) => "calendarDate",
            Some(NaturalKey::SummaryId) | None => "summaryId",
        };
        match self.content.get(member).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => Value::Object(self.content.clone()).to_string(),
        }
    }

    /// What decides which of two versions is current, the higher one; equal ranks leave it to the arrival.
    pub fn rank(&self) -> i64 {
        let member = match SummaryType::named(&self.summary_type).known().map(|known| known.currency) {
            Some(Currency::LastUpdated) => "lastUpdatedTimeInSeconds",
            Some(Currency::LongestDuration) => "durationInSeconds",
            Some(Currency::LatestArrival) | None => return 0,
        };
        let summary = self.content.get("summary").and_then(|summary| summary.get(member));
        self.content.get(member).or(summary).and_then(Value::as_i64).unwrap_or(0)
    }

    /// A later version: longer or later where the type ranks so, with other numbers; the same natural key.
    pub fn revised(&self, times: u32) -> Self {
        let mut later = self.clone();
        let known = SummaryType::named(&self.summary_type).known();
        let step = i64::from(times) * 60;
        let rank = json!(self.rank() + step);
        match known.map(|known| known.currency) {
            Some(Currency::LastUpdated) => {
                // The summaryId of such a type changes with every update.
                if let Some(Value::String(id)) = later.content.get_mut("summaryId") {
                    id.push_str(&format!("{times:x}"));
                }
                later.content.insert("lastUpdatedTimeInSeconds".to_owned(), rank);
            }
            Some(Currency::LongestDuration) => match later.content.get_mut("summary").and_then(Value::as_object_mut) {
                Some(summary) => {
                    summary.insert("durationInSeconds".to_owned(), rank);
                }
                None => {
                    later.content.insert("durationInSeconds".to_owned(), rank);
                }
            },
            Some(Currency::LatestArrival) | None => {
                let measured = ["weightInGrams", "pulse", "activeKilocalories", "fitnessAge"];
                let member = measured.into_iter().find(|member| self.content.contains_key(*member));
                let member = member.unwrap_or("revision");
                let before = self.content.get(member).and_then(Value::as_i64).unwrap_or(0);
                later.content.insert(member.to_owned(), json!(before + i64::from(times)));
            }
        }
        later
    }

    /// What a dataset under default rules holds of it, beside the pseudonymous ids.
    pub fn research_view(&self) -> Value {
        let mut view = Value::Object(self.content.clone());
        strip(&mut view);
        view
    }
}

/// The rest of a dataset's raw record once its pseudonymous ids are taken off.
pub fn without_pseudonyms(mut raw: Value) -> Value {
    if let Some(members) = raw.as_object_mut() {
        for id in ["record_id", "activity_id", "parent_record_id"] {
            members.remove(id);
        }
    }
    raw
}

/// A string without its quotes, anything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !IDENTIFYING.contains(&name.as_str()));
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::summary::KNOWN;
    use crate::simulate::user::Population;

    const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

    #[test]
    fn day_is_the_same_in_every_run_and_holds_every_type_that_can_be_pushed() {
        let population = Population::new(11, 4);
        let mut types: Vec<String> = Vec::new();
        for user in population.users() {
            for number in 0..14 {
                let midnight = MIDNIGHT.plus(number * 86_400);
                let records = day(user, midnight, Density::default());
                assert_eq!(records, day(user, midnight, Density::default()));
                types.extend(records.into_iter().map(|record| record.summary_type));
            }
        }
        types.sort_unstable();
        types.dedup();
        let mut wanted: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
        wanted.retain(|name| *name != "activityFiles");
        wanted.sort_unstable();
        assert_eq!(types, wanted);
    }

    #[test]
    fn full_day_holds_every_epoch_and_a_sample_of_every_second() {
        let user = Population::new(15, 1).user(0).clone();
        let days = (0..7).flat_map(|number| day(&user, MIDNIGHT.plus(number * 86_400), Density::FULL));
        let records: Vec<Record> = days.collect();
        assert_eq!(records.iter().filter(|record| record.summary_type == "epochs").count(), 7 * 96);
        let mut details = records.iter().filter(|record| record.summary_type == "activityDetails").peekable();
        assert!(details.peek().is_some(), "a week has a run");
        for record in details {
            let samples = record.content["samples"].as_array().map_or(0, Vec::len) as u64;
            assert_eq!(record.content["summary"]["durationInSeconds"], samples - 1);
        }
    }

    #[test]
    fn natural_keys_of_a_users_records_differ_unless_they_are_versions() {
        let population = Population::new(12, 2);
        let mut keys = std::collections::HashMap::new();
        for user in population.users() {
            for number in 0..10 {
                for record in day(user, MIDNIGHT.plus(number * 86_400), Density::default()) {
                    let key = (record.user, record.summary_type.clone(), record.natural_key());
                    let versions: &mut Vec<Record> = keys.entry(key).or_default();
                    versions.push(record);
                }
            }
        }
        for ((_, summary_type, _), versions) in keys {
            assert!(versions.len() == 1 || summary_type == "mct", "{summary_type} has two records of one key");
            assert!(versions.windows(2).all(|pair| pair[0].rank() < pair[1].rank()), "versions come in order");
        }
    }

    #[test]
    fn revision_keeps_the_key_and_outranks_where_the_type_ranks() {
        for record in day(Population::new(13, 1).user(0), MIDNIGHT, Density::default()) {
            let later = record.revised(1);
            assert_eq!(later.natural_key(), record.natural_key());
            assert_ne!(later.research_view(), record.research_view());
            assert!(later.rank() >= record.rank());
        }
    }

    #[test]
    fn research_view_holds_nothing_that_identifies() {
        let user = Population::new(14, 2).user(1).clone();
        for number in 0..7 {
            for record in day(&user, MIDNIGHT.plus(number * 86_400), Density::default()) {
                let view = record.research_view().to_string();
                for text in [&user.prefix, &user.id, user.town, "InDegree", "Pregnancy "] {
                    assert!(!view.contains(text), "{text} stands in a {}", record.summary_type);
                }
            }
        }
    }
}
