//! Records of menstrual cycle tracking (`mct`): one per cycle, updated daily, its summaryId new with every update.

use serde_json::{Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::habits::Habits;
use crate::simulate::record::Record;
use crate::simulate::user::{Cycle, User};

const DAY_S: i64 = 86_400;
const PREGNANCY_DAYS: i64 = 280;
/// The first scan, after which a due date is corrected.
const SCAN_DAY: i64 = 84;
/// The list of readings goes back so many days.
const GLUCOSE_DAYS: i64 = 3;

/// A phase: Garmin's number and name, its first and its last day in the cycle.
type Phase = (u8, &'static str, i64, i64);

/// What a user logs on a day, where it tracks cycles.
pub fn of_day(user: &User, midnight: UnixSeconds) -> Option<Record> {
    match user.cycle {
        Cycle::NotTracked => None,
        Cycle::Regular(days) => Some(regular(user, i64::from(days), midnight)),
        Cycle::Pregnant => Some(pregnant(user, midnight)),
    }
}

fn regular(user: &User, usual: i64, midnight: UnixSeconds) -> Record {
    let (start, length, period) = cycle_around(user, usual, midnight);
    let day = (midnight.0 - start.0) / DAY_S + 1;
    let phase = phase(day, length, period);
    let mut content = common(user, start, midnight, phase);
    let more = json!({
        "periodLength": period,
        "fertileWindowStart": length - 17,
        "lengthOfFertileWindow": 7,
        "predictedCycleLength": usual,
        "cycleLength": usual,
        "hasSpecifiedCycleLength": true,
        "pregnancySnapshot": {},
    });
    extend(&mut content, more);
    Record::new(user, "mct", content)
}

fn pregnant(user: &User, midnight: UnixSeconds) -> Record {
    let elapsed = (day_of(midnight) + shift(user)).rem_euclid(PREGNANCY_DAYS);
    let start = midnight.plus(-elapsed * DAY_S);
    let mut content = common(user, start, midnight, trimester(elapsed + 1));
    let more = json!({
        "predictedCycleLength": PREGNANCY_DAYS,
        "cycleLength": PREGNANCY_DAYS,
        "hasSpecifiedCycleLength": false,
        "pregnancySnapshot": snapshot(user, start, elapsed + 1, midnight),
    });
    extend(&mut content, more);
    Record::new(user, "mct", content)
}

/// The start of the cycle that the day falls into, its length, and how many days the period takes.
fn cycle_around(user: &User, usual: i64, midnight: UnixSeconds) -> (UnixSeconds, i64, i64) {
    let numbers = |number: i64| user.random(&[u64::from(b'f'), number.unsigned_abs()]);
    // A cycle begins up to two days off its usual day.
    let begins = |number: i64| number * usual - shift(user) + numbers(number).between(-2, 2);
    let day = day_of(midnight);
    let around = (day + shift(user)).div_euclid(usual);
    let number = (around - 1..=around + 1).rfind(|number| begins(*number) <= day).unwrap_or(around - 1);
    let mut of_cycle = numbers(number);
    of_cycle.bits();
    let (first, next) = (begins(number), begins(number + 1));
    (UnixSeconds(first * DAY_S), next - first, of_cycle.between(4, 6))
}

fn common(user: &User, start: UnixSeconds, midnight: UnixSeconds, phase: Phase) -> Value {
    let (number, name, first, last) = phase;
    let day = (midnight.0 - start.0) / DAY_S + 1;
    let logged = logged(user, midnight);
    json!({
        "summaryId": user.summary_id(logged.0 * 1000),
        "periodStartDate": start.date(),
        "dayInCycle": day,
        "currentPhase": number,
        "currentPhaseType": name,
        "lengthOfCurrentPhase": last - first + 1,
        "daysUntilNextPhase": last - day + 1,
        "isPredictedCycle": false,
        "lastUpdatedTimeInSeconds": logged.0,
        "hasSpecifiedPeriodLength": false,
    })
}

/// When the user logged on a day: in the evening.
fn logged(user: &User, midnight: UnixSeconds) -> UnixSeconds {
    let mut random = user.random(&[u64::from(b'c'), midnight.0.unsigned_abs()]);
    user.local_midnight(midnight).plus(random.between(18 * 3600, DAY_S - 1))
}

fn phase(day: i64, length: i64, period: i64) -> Phase {
    let fertile = length - 17;
    match day {
        _ if day <= period => (1, "MENSTRUAL", 1, period),
        _ if day < fertile => (2, "FOLLICULAR", period + 1, fertile - 1),
        _ if day < fertile + 7 => (3, "FERTILE", fertile, fertile + 6),
        _ => (4, "LUTEAL", fertile + 7, length),
    }
}

fn trimester(day: i64) -> Phase {
    match day {
        ..=91 => (5, "FIRST_TRIMESTER", 1, 91),
        92..=189 => (6, "SECOND_TRIMESTER", 92, 189),
        _ => (7, "THIRD_TRIMESTER", 190, PREGNANCY_DAYS),
    }
}

fn snapshot(user: &User, start: UnixSeconds, day: i64, midnight: UnixSeconds) -> Value {
    let habits = Habits::of(user);
    let mut random = user.random(&[u64::from(b'p')]);
    let first_guess = start.plus(PREGNANCY_DAYS * DAY_S);
    let correction = random.between(-6, 6);
    let corrected = if day >= SCAN_DAY { first_guess.plus(correction * DAY_S) } else { first_guess };
    json!({
        "title": title(user),
        "originalDueDate": first_guess.date(),
        "dueDate": corrected.date(),
        "pregnancyCycleStartDate": start.date(),
        "numOfBabies": if random.chance(3) { "TWINS" } else { "SINGLE" },
        "weightGoalUserInput": {"heightInCentimeters": habits.height_cm, "weightInGrams": habits.weight_g},
        "bloodGlucoseList": glucose(user, start, midnight),
    })
}

/// The readings of the last days of this pregnancy, in order; none lies after the time it was logged.
fn glucose(user: &User, start: UnixSeconds, midnight: UnixSeconds) -> Vec<Value> {
    let days = (0..GLUCOSE_DAYS).rev().map(|back| midnight.plus(-back * DAY_S)).filter(|day| *day >= start);
    days.flat_map(|day| {
        let mut random = user.random(&[u64::from(b'g'), day.0.unsigned_abs()]);
        let morning = user.local_midnight(day).0;
        [("BEFOREMEAL", 7 * 3600, 72.0), ("AFTERMEAL", 9 * 3600, 102.0), ("BEFOREBED", 17 * 3600, 84.0)].map(
            |(kind, seconds, low)| {
                json!({
                    "valueInMilligramsPerDeciliter": random.decimal(low, low + 26.0, 1),
                    "logType": kind,
                    "reportTimestampInSeconds": morning + seconds + random.between(0, 3000),
                })
            },
        )
    })
    .collect()
}

/// The title that a pregnant user typed; it identifies.
pub(super) fn title(user: &User) -> String {
    format!("Pregnancy {} {}", user.town, user.random(&[u64::from(b'n')]).hex(6))
}

/// So that users with cycles of one length do not all begin on the same day.
fn shift(user: &User) -> i64 {
    user.random(&[u64::from(b'z')]).between(0, PREGNANCY_DAYS - 1)
}

fn day_of(midnight: UnixSeconds) -> i64 {
    midnight.0.div_euclid(DAY_S)
}

fn extend(content: &mut Value, more: Value) {
    if let (Value::Object(members), Value::Object(more)) = (content, more) {
        members.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

    fn logged_on(user: &User, number: i64) -> Record {
        of_day(user, MIDNIGHT.plus(number * DAY_S)).expect("a tracked day")
    }

    fn field(record: &Record, name: &str) -> i64 {
        record.content[name].as_i64().expect("a number")
    }

    #[test]
    fn cycle_advances_day_by_day_through_its_phases_and_begins_again() {
        let population = Population::new(95, 9);
        for user in population.users().iter().filter(|user| matches!(user.cycle, Cycle::Regular(_))) {
            let mut starts = Vec::new();
            for number in 0..120 {
                let (one, next) = (logged_on(user, number), logged_on(user, number + 1));
                let is_new = one.content["periodStartDate"] != next.content["periodStartDate"];
                let day = if is_new { 1 } else { field(&one, "dayInCycle") + 1 };
                assert_eq!(field(&next, "dayInCycle"), day);
                let phase = if is_new { 1..=1 } else { field(&one, "currentPhase")..=4 };
                assert!(phase.contains(&field(&next, "currentPhase")));
                if field(&one, "daysUntilNextPhase") > 1 {
                    assert_eq!(field(&next, "daysUntilNextPhase"), field(&one, "daysUntilNextPhase") - 1);
                }
                starts.extend(is_new.then_some(number));
            }
            assert!(starts.windows(2).all(|pair| (22..=36).contains(&(pair[1] - pair[0]))), "{starts:?}");
            assert!(starts.len() >= 3);
        }
    }

    #[test]
    fn pregnancy_advances_week_by_week_and_its_readings_lie_before_the_log() {
        let user = Population::new(96, 2).user(1).clone();
        assert_eq!(user.cycle, Cycle::Pregnant);
        for number in 0..300 {
            let (one, next) = (logged_on(&user, number), logged_on(&user, number + 1));
            let is_new = one.content["periodStartDate"] != next.content["periodStartDate"];
            assert_eq!(field(&next, "dayInCycle"), if is_new { 1 } else { field(&one, "dayInCycle") + 1 });
            let day = field(&one, "dayInCycle");
            let expected = if day <= 91 {
                5
            } else if day <= 189 {
                6
            } else {
                7
            };
            assert_eq!(field(&one, "currentPhase"), expected);
            let readings = one.content["pregnancySnapshot"]["bloodGlucoseList"].as_array().expect("readings");
            assert!(!readings.is_empty());
            let times = readings.iter().map(|reading| reading["reportTimestampInSeconds"].as_i64().expect("a time"));
            assert!(times.clone().is_sorted());
            assert!(times.max() < Some(field(&one, "lastUpdatedTimeInSeconds")));
        }
    }
}
