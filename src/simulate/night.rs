//! A night's sleep, and what a watch measures in it: stages, heart rate variability, skin temperature, oxygen.

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::activity::day_number;
use crate::simulate::habits::{Habits, weekday};
use crate::simulate::record::Record;
use crate::simulate::today::Today;
use crate::simulate::user::User;

/// The stages, by their names in `sleepLevelsMap`.
const STAGES: [&str; 4] = ["light", "deep", "rem", "awake"];
const LIGHT: usize = 0;
const DEEP: usize = 1;
const REM: usize = 2;
const AWAKE: usize = 3;

/// The night that ends in a day.
#[derive(Clone, Debug)]
pub(super) struct Night {
    pub(super) start: UnixSeconds,
    pub(super) end: UnixSeconds,
    /// One after the other, without a gap.
    stages: Vec<(usize, i64)>,
}

impl Night {
    pub(super) fn of(user: &User, habits: &Habits, midnight: UnixSeconds) -> Self {
        let mut random = user.random(&[u64::from(b's'), day_number(midnight)]);
        // The nights before Saturday and Sunday begin late.
        let late_s = if weekday(midnight) >= 5 { 2400 } else { 0 };
        let start = user.local_midnight(midnight).plus(habits.bedtime_s + late_s + random.between(-30, 30) * 60);
        let cycles = if random.chance(35) { 4 } else { 5 };
        let mut stages = Vec::with_capacity(cycles * 5);
        for cycle in (0..).take(cycles) {
            stages.push((LIGHT, random.between(18, 30)));
            stages.push((DEEP, (random.between(30, 45) - 8 * cycle).max(4)));
            stages.push((LIGHT, random.between(16, 28)));
            stages.push((REM, random.between(6, 12) + 6 * cycle));
            if random.chance(40) {
                stages.push((AWAKE, random.between(1, 9)));
            }
        }
        stages.iter_mut().for_each(|(_, length)| *length *= 60);
        let seconds: i64 = stages.iter().map(|(_, length)| length).sum();
        Self { start, end: start.plus(seconds), stages }
    }

    fn seconds(&self) -> i64 {
        self.end.0 - self.start.0
    }

    fn in_stage(&self, stage: usize) -> i64 {
        self.stages.iter().filter(|(found, _)| *found == stage).map(|(_, length)| length).sum()
    }

    /// 35 to 98 by its length, deep sleep and dreams.
    fn score(&self) -> i64 {
        let share = |stage: usize| self.in_stage(stage) * 100 / self.seconds();
        (self.seconds() / 450 + share(DEEP).min(25) + share(REM).min(25) - 3 * share(AWAKE) - 18).clamp(35, 98)
    }

    fn levels(&self) -> Map<String, Value> {
        let mut at = self.start.0;
        let mut levels = Map::new();
        for (stage, length) in &self.stages {
            let span = json!({"startTimeInSeconds": at, "endTimeInSeconds": at + length});
            let spans = levels.entry(STAGES[*stage]).or_insert_with(|| json!([]));
            if let Some(spans) = spans.as_array_mut() {
                spans.push(span);
            }
            at += length;
        }
        levels
    }

    /// A value for every so many seconds of it, by seconds since its start.
    fn every(&self, step: i64, mut value: impl FnMut() -> Value) -> Map<String, Value> {
        (0..self.seconds() / step).map(|number| ((number * step).to_string(), value())).collect()
    }
}

/// What the night that ends in a day brings; the sleep comes first.
pub(super) fn of_today(user: &User, today: &Today) -> Vec<Record> {
    let night = &today.night;
    let mut random = user.random(&[u64::from(b'o'), day_number(today.midnight)]);
    let oxygen = night.every(3600, || json!(random.between(92, 99)));
    let mut records = vec![sleep_record(user, today, &oxygen)];
    records.push(variability(user, today));
    records.push(skin_temperature(user, today));
    let mut content = timed(user, today, 'o');
    content.insert("timeOffsetSpo2Values".to_owned(), Value::Object(oxygen));
    content.insert("onDemand".to_owned(), json!(false));
    records.push(Record::new(user, "pulseox", Value::Object(content)));
    records
}

fn sleep_record(user: &User, today: &Today, oxygen: &Map<String, Value>) -> Record {
    let night = &today.night;
    let mut random = user.random(&[u64::from(b'v'), day_number(today.midnight)]);
    let score = night.score();
    let mut content = timed(user, today, 's');
    let stages = json!({
        "unmeasurableSleepInSeconds": 0,
        "lightSleepDurationInSeconds": night.in_stage(LIGHT),
        "deepSleepDurationInSeconds": night.in_stage(DEEP),
        "remSleepInSeconds": night.in_stage(REM),
        "awakeDurationInSeconds": night.in_stage(AWAKE),
        "sleepLevelsMap": night.levels(),
        "validation": random.pick(&["ENHANCED_TENTATIVE", "ENHANCED_FINAL", "DEVICE"]),
        "timeOffsetSleepRespiration": night.every(3600, || json!(random.decimal(11.5, 15.5, 2))),
        "timeOffsetSleepSpo2": oxygen,
        "overallSleepScore": {"value": score, "qualifierKey": qualifier(score)},
        "sleepScores": {
            "totalDuration": {"qualifierKey": qualifier(night.seconds() / 330)},
            "awakeCount": {"qualifierKey": qualifier(100 - night.in_stage(AWAKE) / 60)},
            "deepPercentage": {"value": night.in_stage(DEEP) * 100 / night.seconds(), "qualifierKey": "GOOD"},
            "remPercentage": {"value": night.in_stage(REM) * 100 / night.seconds(), "qualifierKey": "GOOD"},
        },
    });
    content.extend(members(stages));
    Record::new(user, "sleeps", Value::Object(content))
}

fn variability(user: &User, today: &Today) -> Record {
    let usual = today.habits.variability;
    let mut random = user.random(&[u64::from(b'q'), day_number(today.midnight)]);
    let tonight = usual + random.between(-8, 8);
    let mut values = Vec::new();
    let readings = today.night.every(300, || {
        let value = (tonight + random.between(-14, 18)).max(8);
        values.push(value);
        json!(value)
    });
    let mut content = timed(user, today, 'q');
    let average = values.iter().sum::<i64>() / i64::try_from(values.len().max(1)).unwrap_or(1);
    content.insert("lastNightAvg".to_owned(), json!(average));
    content.insert("lastNight5MinHigh".to_owned(), json!(values.iter().max()));
    content.insert("hrvValues".to_owned(), Value::Object(readings));
    Record::new(user, "hrv", Value::Object(content))
}

fn skin_temperature(user: &User, today: &Today) -> Record {
    let mut random = user.random(&[u64::from(b'i'), day_number(today.midnight)]);
    let mut content = timed(user, today, 'i');
    content.insert("avgDeviationCelsius".to_owned(), json!(random.decimal(-0.6, 0.6, 2)));
    Record::new(user, "skinTemp", Value::Object(content))
}

/// What every record of a night begins with.
fn timed(user: &User, today: &Today, kind: char) -> Map<String, Value> {
    let night = &today.night;
    members(json!({
        "summaryId": format!("{}-{kind}", user.summary_id(night.start.0)),
        "calendarDate": today.date,
        "startTimeInSeconds": night.start.0,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": night.seconds(),
    }))
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn qualifier(score: i64) -> &'static str {
    match score {
        90.. => "EXCELLENT",
        80..90 => "GOOD",
        60..80 => "FAIR",
        _ => "POOR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    #[test]
    fn stages_sum_to_the_duration_and_the_levels_leave_no_gap() {
        for user in Population::new(81, 5).users() {
            for number in 0..14 {
                let today = Today::of(user, UnixSeconds(1_793_491_200 + number * 86_400));
                let content = of_today(user, &today).swap_remove(0).content;
                let field = |name: &str| content[name].as_i64().expect("a number");
                let (light, deep) = (field("lightSleepDurationInSeconds"), field("deepSleepDurationInSeconds"));
                let (dreams, awake) = (field("remSleepInSeconds"), field("awakeDurationInSeconds"));
                assert_eq!(light + deep + dreams + awake, field("durationInSeconds"));
                assert!((5 * 3600..10 * 3600).contains(&field("durationInSeconds")));
                let spans = content["sleepLevelsMap"].as_object().expect("levels").values();
                let mut ends: Vec<(i64, i64)> = spans
                    .flat_map(|spans| spans.as_array().expect("spans"))
                    .map(|span| (&span["startTimeInSeconds"], &span["endTimeInSeconds"]))
                    .map(|(start, end)| (start.as_i64().expect("a time"), end.as_i64().expect("a time")))
                    .collect();
                ends.sort_unstable();
                assert!(ends.windows(2).all(|pair| pair[0].1 == pair[1].0));
                assert_eq!(ends[0].0, field("startTimeInSeconds"));
            }
        }
    }
}
