//! Records of menstrual cycle tracking (`mct`): one per cycle, updated daily, its summaryId new with every update.

use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::record::Record;
use crate::simulate::user::{Cycle, User};

const DAY_S: i64 = 86_400;
const PREGNANCY_DAYS: i64 = 280;

/// What a user logs on a day, where it tracks cycles.
pub fn of_day(user: &User, midnight: UnixSeconds) -> Option<Record> {
    let length = match user.cycle {
        Cycle::NotTracked => return None,
        Cycle::Regular(days) => i64::from(days),
        Cycle::Pregnant => PREGNANCY_DAYS,
    };
    let day_in_cycle = midnight.0.div_euclid(DAY_S).rem_euclid(length) + 1;
    let start = midnight.plus(-(day_in_cycle - 1) * DAY_S);
    let logged = midnight.plus(user.random(&[u64::from(b'c'), midnight.0.unsigned_abs()]).between(0, DAY_S - 1));
    let (phase, name, first, last) = match user.cycle {
        Cycle::Pregnant => trimester(day_in_cycle),
        Cycle::NotTracked | Cycle::Regular(_) => phase(day_in_cycle, length),
    };
    let content = json!({
        "summaryId": user.summary_id(logged.0 * 1000),
        "periodStartDate": start.date(),
        "dayInCycle": day_in_cycle,
        "periodLength": 5,
        "currentPhase": phase,
        "currentPhaseType": name,
        "lengthOfCurrentPhase": last - first + 1,
        "daysUntilNextPhase": last - day_in_cycle + 1,
        "fertileWindowStart": length - 17,
        "lengthOfFertileWindow": 7,
        "predictedCycleLength": length,
        "isPredictedCycle": false,
        "cycleLength": length,
        "lastUpdatedTimeInSeconds": logged.0,
        "hasSpecifiedCycleLength": true,
        "hasSpecifiedPeriodLength": false,
        "pregnancySnapshot": snapshot(user, start, midnight),
    });
    Some(Record::new(user, "mct", content))
}

fn phase(day: i64, length: i64) -> (u8, &'static str, i64, i64) {
    let fertile = length - 17;
    match day {
        1..=5 => (1, "MENSTRUAL", 1, 5),
        _ if day < fertile => (2, "FOLLICULAR", 6, fertile - 1),
        _ if day < fertile + 7 => (3, "FERTILE", fertile, fertile + 6),
        _ => (4, "LUTEAL", fertile + 7, length),
    }
}

fn trimester(day: i64) -> (u8, &'static str, i64, i64) {
    match day {
        ..=91 => (5, "FIRST_TRIMESTER", 1, 91),
        92..=189 => (6, "SECOND_TRIMESTER", 92, 189),
        _ => (7, "THIRD_TRIMESTER", 190, PREGNANCY_DAYS),
    }
}

fn snapshot(user: &User, start: UnixSeconds, midnight: UnixSeconds) -> Value {
    if user.cycle != Cycle::Pregnant {
        return json!({});
    }
    let mut random = user.random(&[u64::from(b'p'), midnight.0.unsigned_abs()]);
    let due = start.plus(PREGNANCY_DAYS * DAY_S).date();
    let glucose: Vec<Value> = ["BEFOREMEAL", "AFTERMEAL", "BEFOREBED"]
        .iter()
        .enumerate()
        .map(|(place, log)| {
            json!({
                "valueInMilligramsPerDeciliter": random.decimal(70.0, 130.0, 1),
                "logType": log,
                "reportTimestampInSeconds": midnight.0 + 25_000 + 15_000 * place as i64,
            })
        })
        .collect();
    json!({
        "title": title(user),
        "originalDueDate": due,
        "dueDate": due,
        "pregnancyCycleStartDate": start.date(),
        "numOfBabies": "SINGLE",
        "weightGoalUserInput": {"heightInCentimeters": 150 + random.below(35), "weightInGrams": random.between(50_000, 90_000)},
        "bloodGlucoseList": glucose,
    })
}

/// The title that a pregnant user typed; it identifies.
pub(super) fn title(user: &User) -> String {
    format!("Pregnancy {} {}", user.town, user.random(&[u64::from(b'n')]).hex(6))
}
