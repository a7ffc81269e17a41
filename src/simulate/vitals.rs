//! What watches, scales and cuffs measure by day: stress, breath, blood pressure, snapshots, weight, fitness.

use serde_json::{Map, Value, json};

use crate::simulate::activity::day_number;
use crate::simulate::random::Random;
use crate::simulate::record::Record;
use crate::simulate::today::{QUARTER_S, Quarter, Today};
use crate::simulate::user::User;

const DAY_S: i64 = 86_400;
const HALF_HOUR_S: i64 = 1800;
/// Garmin's codes where no level was found: the user moved too much, or nothing could be told.
const MOVING: i64 = -2;
const UNKNOWN: i64 = -1;

/// Stress and body battery of a day, a value for each half-hour.
#[derive(Clone, Debug)]
pub(super) struct Strain {
    levels: Vec<i64>,
    battery: Vec<i64>,
}

impl Strain {
    pub(super) fn of(user: &User, today: &Today) -> Self {
        let mut random = numbers(user, today, b't');
        let tension = random.between(22, 52);
        let mut charge = random.between(30, 60);
        let (mut levels, mut battery) = (Vec::new(), Vec::new());
        for quarters in today.quarters.chunks(2) {
            let runs = quarters.iter().map(|quarter| quarter.run_seconds).sum::<i64>() > QUARTER_S;
            let asleep = quarters.iter().all(|quarter| quarter.is_asleep);
            let (level, change) = match (runs, asleep) {
                (true, _) => (MOVING, -9),
                (_, true) => (random.between(6, 24), random.between(2, 5)),
                _ if random.chance(6) => (UNKNOWN, -1),
                _ => (tension + random.between(-18, 34), -random.between(1, 3)),
            };
            charge = (charge + change).clamp(5, 100);
            levels.push(level);
            battery.push(charge);
        }
        Self { levels, battery }
    }

    /// Its members of a day's summary; every half-hour counts in one of the durations or in none.
    pub(super) fn of_daily(&self) -> Map<String, Value> {
        let lasting = |from: i64, to: i64| {
            let found = self.levels.iter().filter(|level| (from..=to).contains(*level)).count();
            HALF_HOUR_S * i64::try_from(found).unwrap_or(0)
        };
        let known: Vec<i64> = self.levels.iter().copied().filter(|level| *level >= 0).collect();
        let average = known.iter().sum::<i64>() / i64::try_from(known.len().max(1)).unwrap_or(1);
        let changes = self.battery.windows(2).map(|pair| pair[1] - pair[0]);
        let members = json!({
            "averageStressLevel": average,
            "maxStressLevel": known.iter().max(),
            "stressDurationInSeconds": lasting(26, 100),
            "restStressDurationInSeconds": lasting(0, 25),
            "activityStressDurationInSeconds": lasting(MOVING, MOVING),
            "lowStressDurationInSeconds": lasting(26, 50),
            "mediumStressDurationInSeconds": lasting(51, 75),
            "highStressDurationInSeconds": lasting(76, 100),
            "stressQualifier": match average { ..26 => "calm", 26..40 => "balanced", _ => "stressful" },
            "bodyBatteryChargedValue": changes.clone().filter(|change| *change > 0).sum::<i64>(),
            "bodyBatteryDrainedValue": -changes.filter(|change| *change < 0).sum::<i64>(),
        });
        members.as_object().cloned().unwrap_or_default()
    }
}

/// Everything of this page that a day brings.
pub(super) fn of_today(user: &User, today: &Today) -> Vec<Record> {
    let mut records = vec![stress(user, today), respiration(user, today), user_metrics(user, today)];
    records.extend(body_composition(user, today));
    records.extend(blood_pressure(user, today));
    records.extend(snapshot(user, today));
    records
}

fn stress(user: &User, today: &Today) -> Record {
    let strain = Strain::of(user, today);
    let mut content = timed(user, today, 't');
    content.insert("calendarDate".to_owned(), json!(today.date));
    content.insert("timeOffsetStressLevelValues".to_owned(), by_offset(&strain.levels, HALF_HOUR_S));
    content.insert("timeOffsetBodyBatteryValues".to_owned(), by_offset(&strain.battery, HALF_HOUR_S));
    Record::new(user, "stressDetails", Value::Object(content))
}

fn respiration(user: &User, today: &Today) -> Record {
    let mut random = numbers(user, today, b'z');
    let mut breaths = |quarter: &Quarter| match quarter.is_asleep {
        _ if quarter.run_seconds > 0 => random.decimal(24.0, 36.0, 2),
        true => random.decimal(11.5, 15.5, 2),
        false => random.decimal(13.0, 18.5, 2),
    };
    let hourly: Vec<f64> = today.quarters.iter().step_by(4).map(&mut breaths).collect();
    let mut content = timed(user, today, 'z');
    content.insert("timeOffsetEpochToBreaths".to_owned(), by_offset(&hourly, 4 * QUARTER_S));
    Record::new(user, "allDayRespiration", Value::Object(content))
}

/// Fitness estimates of a day: there is no start time, only a date.
fn user_metrics(user: &User, today: &Today) -> Record {
    let mut random = numbers(user, today, b'u');
    let vo2_max = today.habits.vo2_max + random.decimal(-0.6, 0.6, 1);
    Record::new(
        user,
        "userMetrics",
        json!({
            "summaryId": format!("{}-u", user.summary_id(today.start.0)),
            "calendarDate": today.date,
            "vo2Max": (vo2_max * 10.0).round() / 10.0,
            "enhanced": random.chance(50),
            "fitnessAge": (today.habits.age - ((vo2_max - 38.0) / 2.0).round() as i64).max(18),
        }),
    )
}

/// A scale's reading, once in three days; its parts are parts of its weight.
fn body_composition(user: &User, today: &Today) -> Option<Record> {
    if !day_number(today.midnight).is_multiple_of(3) {
        return None;
    }
    let mut random = numbers(user, today, b'b');
    let measured = today.night.end.plus(random.between(5, 40) * 60);
    let weight = today.habits.weight_g + random.between(-900, 900);
    let height_m = today.habits.height_cm as f64 / 100.0;
    let fat = 14.0 + (today.habits.age - 20) as f64 / 4.0 + random.decimal(-0.5, 0.5, 2);
    let rounded = |value: f64| (value * 100.0).round() / 100.0;
    Some(Record::new(
        user,
        "bodyComps",
        json!({
            "summaryId": format!("{}-b", user.summary_id(measured.0)),
            "measurementTimeInSeconds": measured.0,
            "measurementTimeOffsetInSeconds": user.offset_s,
            "weightInGrams": weight,
            "muscleMassInGrams": weight * 40 / 100,
            "boneMassInGrams": weight * 5 / 100,
            "bodyWaterInPercent": rounded((100.0 - fat) * 0.73),
            "bodyFatInPercent": rounded(fat),
            "bodyMassIndex": rounded(weight as f64 / 1000.0 / (height_m * height_m)),
        }),
    ))
}

/// A cuff's reading, once in four days.
fn blood_pressure(user: &User, today: &Today) -> Option<Record> {
    if (day_number(today.midnight) + user.index as u64) % 4 != 1 {
        return None;
    }
    let mut random = numbers(user, today, b'j');
    let measured = today.night.end.plus(random.between(30, 90) * 60);
    let systolic = 104 + today.habits.age / 2 + random.between(-8, 10);
    Some(Record::new(
        user,
        "bloodPressures",
        json!({
            "summaryId": format!("{}-j", user.summary_id(measured.0)),
            "measurementTimeInSeconds": measured.0,
            "measurementTimeOffsetInSeconds": user.offset_s,
            "systolic": systolic,
            "diastolic": systolic * 63 / 100 + random.between(-4, 4),
            "pulse": today.habits.resting + random.between(4, 16),
            "sourceType": random.pick(&["MANUAL", "DEVICE"]),
        }),
    ))
}

/// Two minutes of sitting still with a finger on the watch, once in five days.
fn snapshot(user: &User, today: &Today) -> Option<Record> {
    if (day_number(today.midnight) + user.index as u64) % 5 != 2 {
        return None;
    }
    let mut random = numbers(user, today, b'x');
    let start = today.night.end.plus(random.between(40, 100) * 60);
    let resting = today.habits.resting;
    let variability = today.habits.variability;
    let mut summaries: Vec<Value> =
        [("heart_rate", resting + 6, resting + 16), ("respiration", 12, 17), ("stress", 8, 34), ("spo2", 94, 99)]
            .map(|(kind, low, high)| measured_in_snapshot(kind, low, high, &mut random))
            .into();
    // Of these a whole snapshot gives one value.
    for (kind, value) in [("rmssd_hrv", variability), ("sdrr_hrv", variability * 13 / 10)] {
        summaries.push(json!({"summaryType": kind, "avgValue": value + random.between(-6, 6)}));
    }
    Some(Record::new(
        user,
        "healthSnapshot",
        json!({
            "summaryId": format!("{}-x", user.summary_id(start.0)),
            "calendarDate": today.date,
            "startTimeInSeconds": start.0,
            "offsetStartTimeInSeconds": user.offset_s,
            "durationInSeconds": 120,
            "summaries": summaries,
        }),
    ))
}

fn measured_in_snapshot(kind: &str, low: i64, high: i64, random: &mut Random) -> Value {
    let values: Vec<i64> = (0..24).map(|_| random.between(low, high)).collect();
    json!({
        "summaryType": kind,
        "minValue": values.iter().min(),
        "maxValue": values.iter().max(),
        "avgValue": (values.iter().sum::<i64>() as f64 / 24.0 * 10.0).round() / 10.0,
        "epochSummaries": by_offset(&values, 5),
    })
}

fn timed(user: &User, today: &Today, kind: char) -> Map<String, Value> {
    let members = json!({
        "summaryId": format!("{}-{kind}", user.summary_id(today.start.0)),
        "startTimeInSeconds": today.start.0,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": DAY_S,
    });
    members.as_object().cloned().unwrap_or_default()
}

fn by_offset<T: Copy + Into<Value>>(values: &[T], step: i64) -> Value {
    (0..).zip(values).map(|(number, value): (i64, _)| ((number * step).to_string(), (*value).into())).collect()
}

fn numbers(user: &User, today: &Today, part: u8) -> Random {
    user.random(&[u64::from(part), day_number(today.midnight)])
}
