//! Records of the Health types: dailies, epochs, sleeps, stress details, user metrics, body compositions.

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::random::Random;
use crate::simulate::record::Record;
use crate::simulate::user::User;

const DAY_S: i64 = 86_400;
const EPOCH_S: i64 = 900;

/// The summary of a day.
pub fn daily(user: &User, midnight: UnixSeconds) -> Record {
    let mut random = numbers(user, midnight, b'd');
    let steps = random.between(1500, 19_000);
    let resting = random.between(48, 68);
    let beats: Map<String, Value> =
        (0..24).map(|quarter| ((quarter * EPOCH_S).to_string(), json!(resting + random.between(0, 70)))).collect();
    let stress = random.between(15, 55);
    Record::new(
        user,
        "dailies",
        json!({
            "summaryId": user.summary_id(midnight.0),
            "calendarDate": midnight.date(),
            "activityType": "GENERIC",
            "startTimeInSeconds": midnight.0,
            "startTimeOffsetInSeconds": user.offset_s,
            "durationInSeconds": DAY_S,
            "activeKilocalories": random.between(100, 1400),
            "bmrKilocalories": random.between(1300, 2100),
            "steps": steps,
            "stepsGoal": 8000,
            "distanceInMeters": (steps as f64 * 0.75 * 10.0).round() / 10.0,
            "activeTimeInSeconds": steps * 6 / 10,
            "floorsClimbed": random.between(0, 25),
            "floorsClimbedGoal": 10,
            "moderateIntensityDurationInSeconds": random.between(0, 60) * 60,
            "vigorousIntensityDurationInSeconds": random.between(0, 30) * 60,
            "intensityDurationGoalInSeconds": 9000,
            "minHeartRateInBeatsPerMinute": resting - 3,
            "averageHeartRateInBeatsPerMinute": resting + 16,
            "maxHeartRateInBeatsPerMinute": resting + 90,
            "restingHeartRateInBeatsPerMinute": resting,
            "timeOffsetHeartRateSamples": beats,
            "averageStressLevel": stress,
            "maxStressLevel": stress + 40,
            "stressDurationInSeconds": random.between(100, 400) * 60,
            "restStressDurationInSeconds": random.between(200, 600) * 60,
            "activityStressDurationInSeconds": random.between(10, 90) * 60,
            "lowStressDurationInSeconds": random.between(50, 200) * 60,
            "mediumStressDurationInSeconds": random.between(20, 150) * 60,
            "highStressDurationInSeconds": random.between(0, 60) * 60,
            "stressQualifier": random.pick(&["calm", "balanced", "stressful"]),
        }),
    )
}

/// The first `count` quarters of an hour of a day.
pub fn epochs(user: &User, midnight: UnixSeconds, count: u32) -> Vec<Record> {
    (0..i64::from(count.min(96)))
        .map(|quarter| {
            let start = midnight.plus(quarter * EPOCH_S);
            let mut random = numbers(user, start, b'e');
            let steps = random.between(0, 1500);
            Record::new(
                user,
                "epochs",
                json!({
                    "summaryId": format!("{}-6", user.summary_id(start.0)),
                    "activityType": if steps > 400 { "WALKING" } else { "SEDENTARY" },
                    "activeKilocalories": steps / 25,
                    "steps": steps,
                    "distanceInMeters": (steps as f64 * 7.6).round() / 10.0,
                    "durationInSeconds": EPOCH_S,
                    "activeTimeInSeconds": (steps / 2).min(EPOCH_S),
                    "startTimeInSeconds": start.0,
                    "startTimeOffsetInSeconds": user.offset_s,
                    "met": random.decimal(1.0, 4.5, 6),
                    "intensity": if steps > 400 { "ACTIVE" } else { "SEDENTARY" },
                    "meanMotionIntensity": random.decimal(0.0, 5.0, 2),
                    "maxMotionIntensity": random.between(2, 7),
                }),
            )
        })
        .collect()
}

/// The night that ends in a day.
pub fn sleep(user: &User, midnight: UnixSeconds) -> Record {
    let mut random = numbers(user, midnight, b's');
    let start = midnight.plus(-random.between(0, 7200));
    let mut at = start.0;
    let mut levels: Map<String, Value> = Map::new();
    let mut seconds = [0_i64; 4];
    let names = ["light", "deep", "rem", "awake"];
    for _ in 0..random.between(8, 16) {
        let level: usize = random.pick(&[0, 0, 0, 1, 1, 2, 2, 3]);
        let length = random.between(10, 55) * 60;
        let spans = levels.entry(names[level]).or_insert_with(|| json!([]));
        if let Some(spans) = spans.as_array_mut() {
            spans.push(json!({"startTimeInSeconds": at, "endTimeInSeconds": at + length}));
        }
        seconds[level] += length;
        at += length;
    }
    let breaths: Map<String, Value> =
        (0..8).map(|step| ((step * 3600).to_string(), json!(random.decimal(11.0, 17.0, 2)))).collect();
    Record::new(
        user,
        "sleeps",
        json!({
            "summaryId": format!("{}-s", user.summary_id(start.0)),
            "calendarDate": midnight.date(),
            "startTimeInSeconds": start.0,
            "startTimeOffsetInSeconds": user.offset_s,
            "durationInSeconds": at - start.0,
            "unmeasurableSleepInSeconds": 0,
            "lightSleepDurationInSeconds": seconds[0],
            "deepSleepDurationInSeconds": seconds[1],
            "remSleepInSeconds": seconds[2],
            "awakeDurationInSeconds": seconds[3],
            "sleepLevelsMap": levels,
            "validation": random.pick(&["ENHANCED_TENTATIVE", "ENHANCED_FINAL", "DEVICE"]),
            "timeOffsetSleepRespiration": breaths,
            "overallSleepScore": {"value": random.between(35, 98), "qualifierKey": "FAIR"},
        }),
    )
}

/// Stress and body battery of a day, one value in three minutes; negative values are Garmin's codes.
pub fn stress(user: &User, midnight: UnixSeconds) -> Record {
    let mut random = numbers(user, midnight, b't');
    let levels: Map<String, Value> = (0..40)
        .map(|step| {
            let level = if random.chance(10) { random.between(-2, -1) } else { random.between(5, 90) };
            ((step * 180).to_string(), json!(level))
        })
        .collect();
    let battery: Map<String, Value> =
        (0..40).map(|step| ((step * 180).to_string(), json!(random.between(10, 95)))).collect();
    Record::new(
        user,
        "stressDetails",
        json!({
            "summaryId": format!("{}-t", user.summary_id(midnight.0)),
            "calendarDate": midnight.date(),
            "startTimeInSeconds": midnight.0,
            "startTimeOffsetInSeconds": user.offset_s,
            "durationInSeconds": 40 * 180,
            "timeOffsetStressLevelValues": levels,
            "timeOffsetBodyBatteryValues": battery,
        }),
    )
}

/// Fitness estimates of a day: there is no start time, only a date.
pub fn user_metrics(user: &User, midnight: UnixSeconds) -> Record {
    let mut random = numbers(user, midnight, b'u');
    Record::new(
        user,
        "userMetrics",
        json!({
            "summaryId": format!("{}-u", user.summary_id(midnight.0)),
            "calendarDate": midnight.date(),
            "vo2Max": random.decimal(28.0, 58.0, 1),
            "enhanced": random.chance(50),
            "fitnessAge": random.between(22, 60),
        }),
    )
}

/// A scale's reading, once in three days.
pub fn body_composition(user: &User, midnight: UnixSeconds) -> Option<Record> {
    let mut random = numbers(user, midnight, b'b');
    if midnight.0.div_euclid(DAY_S) % 3 != 0 {
        return None;
    }
    let measured = midnight.plus(random.between(6 * 3600, 9 * 3600));
    Some(Record::new(
        user,
        "bodyComps",
        json!({
            "summaryId": format!("{}-b", user.summary_id(measured.0)),
            "measurementTimeInSeconds": measured.0,
            "measurementTimeOffsetInSeconds": user.offset_s,
            "weightInGrams": random.between(48_000, 110_000),
            "muscleMassInGrams": random.between(20_000, 40_000),
            "boneMassInGrams": random.between(3000, 7000),
            "bodyWaterInPercent": random.decimal(45.0, 65.0, 2),
            "bodyFatInPercent": random.decimal(10.0, 38.0, 2),
            "bodyMassIndex": random.decimal(18.0, 34.0, 2),
        }),
    ))
}

fn numbers(user: &User, time: UnixSeconds, part: u8) -> Random {
    user.random(&[u64::from(part), time.0.unsigned_abs()])
}
