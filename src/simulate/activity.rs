//! Runs that a watch recorded, their details, activities entered by hand, and Move IQ events.

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::habits::Habits;
use crate::simulate::record::{Record, plain};
use crate::simulate::today::Today;
use crate::simulate::track::{Point, Totals, Track};
use crate::simulate::user::User;

/// Longer activities have no details, files only (Activity API 1.2.3 §7.3).
const DETAILS_MAX_S: i64 = 86_400;

/// A run: what its summary, its details and its file are all made from.
#[derive(Clone, Debug)]
pub(super) struct Workout {
    /// The activityId, without quotes.
    pub(super) id: String,
    pub(super) start: UnixSeconds,
    /// One a second, the first and the last second included.
    pub(super) points: Vec<Point>,
    pub(super) totals: Totals,
}

impl Workout {
    /// The run with this id, start and length.
    pub(super) fn new(user: &User, id: String, start: UnixSeconds, seconds: i64) -> Self {
        let track = Track::new(user, start, seconds, number_of(&id));
        let points: Vec<Point> = track.take(usize::try_from(seconds.max(1)).unwrap_or(1) + 1).collect();
        let totals = Totals::of(points.iter().copied());
        Self { id, start, points, totals }
    }

    /// Id, start and length of the run that an `activities` record tells of; `None` where it tells of none that a
    /// watch of this user recorded.
    pub(super) fn facts(user: &User, record: &Record) -> Option<(String, UnixSeconds, i64)> {
        let is_manual = record.content.get("manual").and_then(Value::as_bool).unwrap_or(false);
        if record.summary_type != "activities" || is_manual || record.user != user.index {
            return None;
        }
        let number = |member: &str| record.content.get(member).and_then(Value::as_i64);
        let id = plain(record.content.get("activityId")?);
        Some((id, UnixSeconds(number("startTimeInSeconds")?), number("durationInSeconds")?))
    }

    /// The run of a day, where the user runs on it.
    pub(super) fn of_day(user: &User, habits: &Habits, midnight: UnixSeconds) -> Option<Self> {
        let day = day_number(midnight);
        let mut random = user.random(&[u64::from(b'r'), day]);
        if !habits.runs_on(midnight) || !random.chance(90) {
            return None;
        }
        let start = user.local_midnight(midnight).plus(habits.run_s + random.between(-1200, 1800));
        Some(Self::new(user, user.activity_id(day), start, random.between(1500, 4200)))
    }

    /// Its records: the activity, and its details with at most so many samples, spread from the first second to the
    /// last.
    pub(super) fn records(&self, user: &User, samples: usize) -> Vec<Record> {
        let mut content = summary(user, &self.id, self.start, &self.totals);
        let details = json!({
            "summaryId": format!("{}-detail", self.id),
            "activityId": user.activity_id_value(&self.id),
            "summary": content,
            "samples": self.samples(samples),
            "laps": [{"startTimeInSeconds": self.start.0}],
        });
        if let Some(members) = content.as_object_mut() {
            identify(members, user, &self.id);
            members.insert("activityDescription".to_owned(), json!(format!("With friends around {}", user.town)));
        }
        let mut records = vec![Record::new(user, "activities", content)];
        if self.totals.seconds <= DETAILS_MAX_S {
            records.push(Record::new(user, "activityDetails", details));
        }
        records
    }

    fn samples(&self, wanted: usize) -> Value {
        let count = wanted.min(self.points.len());
        let last = self.points.len().saturating_sub(1);
        let place = |number: usize| number * last / count.saturating_sub(1).max(1);
        let texts: Vec<String> = (0..count).map(|number| self.points[place(number)].to_sample()).collect();
        serde_json::from_str(&format!("[{}]", texts.join(","))).expect("samples are written as JSON")
    }
}

/// The run of a day, where there is one: the activity and its details.
pub(super) fn of_day(user: &User, today: &Today, samples: u32) -> Vec<Record> {
    let samples = usize::try_from(samples).unwrap_or(usize::MAX);
    today.run.as_ref().map_or_else(Vec::new, |run| run.records(user, samples))
}

/// A run of this length beside those of the days, sampled every second: the activity and, up to 24 hours, its details.
pub fn of_length(user: &User, start: UnixSeconds, seconds: u32) -> Vec<Record> {
    let id = user.activity_id((1 << 40) + start.0.unsigned_abs());
    Workout::new(user, id, start, i64::from(seconds)).records(user, usize::MAX)
}

/// What the user entered by hand on a day, once in six: no watch recorded it.
pub(super) fn manual(user: &User, today: &Today) -> Option<Record> {
    let day = day_number(today.midnight);
    if (day + user.index as u64) % 6 != 3 {
        return None;
    }
    let mut random = user.random(&[u64::from(b'y'), day]);
    let id = user.activity_id((1 << 24) + day);
    let (sport, word, speed_cm) = random.pick(&[
        ("YOGA", "Yoga", 0),
        ("STRENGTH_TRAINING", "Strength", 0),
        ("CYCLING", "Cycling", 560),
        ("LAP_SWIMMING", "Pool Swim", 85),
    ]);
    let seconds = random.between(4, 12) * 300;
    let mut content = json!({
        "activityName": format!("{} {word} {}", user.town, random.hex(6)),
        "activityType": sport,
        "startTimeInSeconds": today.start.0 + random.between(38, 42) * 1800,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": seconds,
        "activeKilocalories": seconds * random.between(50, 110) / 1000,
        // What Garmin writes where no device was used.
        "deviceName": "unknown",
        "manual": true,
    });
    let members = content.as_object_mut()?;
    identify(members, user, &id);
    if speed_cm > 0 {
        members.insert("distanceInMeters".to_owned(), json!((speed_cm * seconds) as f64 / 100.0));
        members.insert("averageSpeedInMetersPerSecond".to_owned(), json!(speed_cm as f64 / 100.0));
        members.insert("averagePaceInMinutesPerKilometer".to_owned(), json!(pace(speed_cm as f64 / 100.0)));
    }
    Some(Record::new(user, "manuallyUpdatedActivities", content))
}

/// A Move IQ event, every other day, at the quarter of an hour with the most walking; its start is a float.
pub(super) fn move_iq(user: &User, today: &Today) -> Option<Record> {
    let day = day_number(today.midnight);
    if !(day + user.index as u64).is_multiple_of(2) {
        return None;
    }
    let mut random = user.random(&[u64::from(b'm'), day]);
    let start = today.busiest_walk();
    Some(Record::new(
        user,
        "moveIQActivities",
        json!({
            "summaryId": format!("{}-m", user.summary_id(start.0)),
            "calendarDate": today.date,
            "startTimeInSeconds": start.0 as f64 + 0.5,
            "offsetInSeconds": user.offset_s,
            "durationInSeconds": random.between(600, 900),
            "activityType": "Walking",
            "activitySubType": random.pick(&["Casual", "Brisk"]),
        }),
    ))
}

/// What a user's run is called: a town, a sport, and a word that no other activity has.
pub(super) fn name(user: &User, activity_id: &str) -> String {
    format!("{} Running {}", user.town, user.random(&[u64::from(b'w'), number_of(activity_id)]).hex(6))
}

/// The numbers that an activity and the `summary` of its details share.
pub(super) fn summary(user: &User, id: &str, start: UnixSeconds, totals: &Totals) -> Value {
    let metres = totals.distance_cm as f64 / 100.0;
    let speed = (metres / totals.seconds.max(1) as f64 * 1000.0).round() / 1000.0;
    let speed_max = totals.speed_max_cm as f64 / 100.0;
    json!({
        "activityName": name(user, id),
        "activityType": "RUNNING",
        "startTimeInSeconds": start.0,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": totals.seconds,
        "averageHeartRateInBeatsPerMinute": totals.heart_rate_average,
        "averageRunCadenceInStepsPerMinute": totals.cadence_average as f64,
        "averageSpeedInMetersPerSecond": speed,
        "averagePaceInMinutesPerKilometer": pace(speed),
        "activeKilocalories": kilocalories(user, totals),
        "deviceName": user.device,
        "distanceInMeters": metres,
        "maxHeartRateInBeatsPerMinute": totals.heart_rate_max,
        "maxPaceInMinutesPerKilometer": pace(speed_max),
        "maxRunCadenceInStepsPerMinute": totals.cadence_max as f64,
        "maxSpeedInMetersPerSecond": speed_max,
        "startingLatitudeInDegree": user.latitude,
        "startingLongitudeInDegree": user.longitude,
        "steps": totals.steps,
        "totalElevationGainInMeters": totals.ascent_dm as f64 / 10.0,
        "totalElevationLossInMeters": totals.descent_dm as f64 / 10.0,
    })
}

/// What a run burns: about one kilocalorie for each kilogram and kilometre.
pub(super) fn kilocalories(user: &User, totals: &Totals) -> i64 {
    Habits::of(user).weight_g * totals.distance_cm / 100_000_000
}

/// The day's number since 1970.
pub(super) fn day_number(midnight: UnixSeconds) -> u64 {
    midnight.0.div_euclid(86_400).unsigned_abs()
}

fn identify(members: &mut Map<String, Value>, user: &User, id: &str) {
    members.insert("summaryId".to_owned(), json!(id));
    members.insert("activityId".to_owned(), user.activity_id_value(id));
}

fn pace(metres_per_second: f64) -> f64 {
    (1000.0 / 60.0 / metres_per_second.max(0.1) * 1e6).round() / 1e6
}

/// A number that an activityId stands for, whatever its text.
pub(super) fn number_of(id: &str) -> u64 {
    id.bytes().fold(0, |sum, digit| sum.wrapping_mul(31).wrapping_add(u64::from(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    #[test]
    fn details_at_one_a_second_come_to_what_the_summary_says() {
        for user in Population::new(71, 4).users() {
            let records = of_length(user, UnixSeconds(1_793_520_000), 3 * 3600);
            let (activity, details) = (&records[0].content, &records[1].content);
            let samples = details["samples"].as_array().expect("samples");
            assert_eq!(samples.len(), 3 * 3600 + 1);
            let number = |value: &Value| value.as_f64().expect("a number");
            let highest = |name: &str| samples.iter().map(|sample| number(&sample[name])).fold(0.0, f64::max);
            assert_eq!(activity["maxHeartRateInBeatsPerMinute"].as_f64(), Some(highest("heartRate")));
            assert_eq!(activity["distanceInMeters"].as_f64(), Some(highest("totalDistanceInMeters")));
            assert_eq!(activity["durationInSeconds"].as_f64(), Some(highest("clockDurationInSeconds")));
            assert_eq!(activity["startTimeInSeconds"], samples[0]["startTimeInSeconds"]);
            assert_eq!(activity["startingLatitudeInDegree"], samples[0]["latitudeInDegree"]);
            assert_eq!(activity["activityId"], details["activityId"]);
            assert_eq!(details["summaryId"], format!("{}-detail", plain(&activity["activityId"])));
            assert_eq!(details["summary"]["distanceInMeters"], activity["distanceInMeters"]);
        }
    }

    #[test]
    fn activity_beyond_a_day_has_no_details() {
        let user = Population::new(72, 1).user(0).clone();
        assert_eq!(of_length(&user, UnixSeconds(0), 86_401).len(), 1);
    }
}
