//! Activities, their details with samples at one a second, and Move IQ events.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::random::Random;
use crate::simulate::record::Record;
use crate::simulate::user::User;

/// The run of a day, where there is one: the activity and its details.
pub fn of_day(user: &User, midnight: UnixSeconds, samples: u32) -> Vec<Record> {
    let day = midnight.0.div_euclid(86_400).unsigned_abs();
    let mut random = user.random(&[u64::from(b'r'), day]);
    if !random.chance(60) {
        return Vec::new();
    }
    let id = user.activity_id(day);
    let start = midnight.plus(random.between(5 * 3600, 20 * 3600));
    let mut content = summary(user, start, i64::from(samples.max(60)), &mut random);
    let mut track = Track::new(user, start, day);
    let texts: Vec<String> = (0..samples).map(|_| track.next_sample()).collect();
    let parsed: Value = serde_json::from_str(&format!("[{}]", texts.join(","))).unwrap_or_default();
    let details = json!({
        "summaryId": format!("{id}-detail"),
        "activityId": user.activity_id_value(&id),
        "activityName": name(user, &id),
        "summary": content,
        "samples": parsed,
        "laps": [{"startTimeInSeconds": start.0}],
    });
    if let Some(members) = content.as_object_mut() {
        members.insert("summaryId".to_owned(), json!(id));
        members.insert("activityId".to_owned(), user.activity_id_value(&id));
        members.insert("activityName".to_owned(), json!(name(user, &id)));
        members.insert("activityDescription".to_owned(), json!(format!("With friends around {}", user.town)));
    }
    vec![Record::new(user, "activities", content), Record::new(user, "activityDetails", details)]
}

/// A Move IQ event, every other day; its start is a float.
pub fn move_iq(user: &User, midnight: UnixSeconds) -> Option<Record> {
    let day = midnight.0.div_euclid(86_400).unsigned_abs();
    let mut random = user.random(&[u64::from(b'm'), day]);
    if !(day + user.index as u64).is_multiple_of(2) {
        return None;
    }
    let start = midnight.plus(random.between(7 * 3600, 18 * 3600));
    Some(Record::new(
        user,
        "moveIQActivities",
        json!({
            "summaryId": format!("{}-m", user.summary_id(start.0)),
            "calendarDate": midnight.date(),
            "startTimeInSeconds": start.0 as f64 + 0.5,
            "offsetInSeconds": user.offset_s,
            "durationInSeconds": random.between(300, 1800),
            "activityType": "Walking",
            "activitySubType": random.pick(&["Casual", "Brisk"]),
        }),
    ))
}

/// What a user's activity is called: a town, a sport, and a word that no other activity has.
pub(super) fn name(user: &User, activity_id: &str) -> String {
    let number = activity_id.bytes().fold(0_u64, |sum, digit| sum.wrapping_mul(31).wrapping_add(u64::from(digit)));
    format!("{} Running {}", user.town, user.random(&[u64::from(b'w'), number]).hex(6))
}

/// The numbers that an activity and the `summary` of its details share.
pub(super) fn summary(user: &User, start: UnixSeconds, seconds: i64, random: &mut Random) -> Value {
    let metres = (seconds as f64 * random.decimal(2.2, 3.6, 3) * 100.0).round() / 100.0;
    json!({
        "activityType": "RUNNING",
        "startTimeInSeconds": start.0,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": seconds,
        "averageHeartRateInBeatsPerMinute": random.between(120, 160),
        "averageRunCadenceInStepsPerMinute": random.decimal(150.0, 180.0, 1),
        "averageSpeedInMetersPerSecond": random.decimal(2.2, 3.6, 3),
        "averagePaceInMinutesPerKilometer": random.decimal(4.6, 7.5, 6),
        "activeKilocalories": random.between(60, 900),
        "deviceName": user.device,
        "distanceInMeters": metres,
        "maxHeartRateInBeatsPerMinute": random.between(161, 190),
        "maxPaceInMinutesPerKilometer": random.decimal(3.5, 4.5, 6),
        "maxRunCadenceInStepsPerMinute": random.decimal(181.0, 200.0, 1),
        "maxSpeedInMetersPerSecond": random.decimal(3.7, 5.5, 3),
        "startingLatitudeInDegree": user.latitude,
        "startingLongitudeInDegree": user.longitude,
        "steps": random.between(800, 12_000),
        "totalElevationGainInMeters": random.decimal(0.0, 150.0, 1),
        "totalElevationLossInMeters": random.decimal(0.0, 150.0, 1),
    })
}

/// A run as a watch samples it: one sample a second, each a step from the one before.
#[derive(Debug)]
pub(super) struct Track {
    random: Random,
    start: i64,
    seconds: i64,
    // Fixed-point steps keep the samples the same on every machine: 1e-9 degrees, centimetres.
    latitude: i64,
    longitude: i64,
    distance_cm: i64,
    heart_rate: i64,
}

impl Track {
    pub(super) fn new(user: &User, start: UnixSeconds, place: u64) -> Self {
        Self {
            random: user.random(&[u64::from(b'k'), place]),
            start: start.0,
            seconds: 0,
            latitude: (user.latitude * 1e9) as i64,
            longitude: (user.longitude * 1e9) as i64,
            distance_cm: 0,
            heart_rate: 96,
        }
    }

    /// The JSON text of the next second's sample.
    pub(super) fn next_sample(&mut self) -> String {
        let draw = self.random.bits();
        let part = |shift: u32, width: u64| i64::try_from((draw >> shift) & (width - 1)).unwrap_or(0);
        let speed_cm = 240 + part(0, 64);
        self.latitude += part(8, 32_768) - 8192;
        self.longitude += part(24, 32_768) - 16_384;
        self.distance_cm += speed_cm;
        self.heart_rate = (self.heart_rate + part(40, 4) - 1).clamp(70, 186);
        let (elevation_dm, temperature) = (3100 + part(44, 128), 14 + part(52, 4));
        let seconds = self.seconds;
        self.seconds += 1;
        let mut text = String::with_capacity(360);
        let written = write!(
            text,
            "{{\"startTimeInSeconds\":{},\"latitudeInDegree\":{},\"longitudeInDegree\":{},\
             \"elevationInMeters\":{}.{},\"airTemperatureCelcius\":{temperature}.0,\"heartRate\":{},\
             \"speedMetersPerSecond\":{}.{:02},\"stepsPerMinute\":{}.0,\"totalDistanceInMeters\":{}.{:02},\
             \"timerDurationInSeconds\":{seconds},\"clockDurationInSeconds\":{seconds},\
             \"movingDurationInSeconds\":{seconds}}}",
            self.start + seconds,
            Degrees(self.latitude),
            Degrees(self.longitude),
            elevation_dm / 10,
            elevation_dm % 10,
            self.heart_rate,
            speed_cm / 100,
            speed_cm % 100,
            150 + part(56, 32),
            self.distance_cm / 100,
            self.distance_cm % 100,
        );
        written.expect("a String takes all text");
        text
    }
}

/// Billionths of a degree, written in degrees.
struct Degrees(i64);

impl std::fmt::Display for Degrees {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
    }
}
