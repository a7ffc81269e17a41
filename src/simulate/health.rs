//! The summary of a day and its epochs, both counted from the same quarters of an hour.

use serde_json::{Map, Value, json};

use crate::model::time::UnixSeconds;
use crate::simulate::record::Record;
use crate::simulate::today::{QUARTER_S, Quarter, Today};
use crate::simulate::user::User;
use crate::simulate::vitals::Strain;

const DAY_S: i64 = 86_400;
/// From so many steps in a quarter of an hour on it was a walk.
const WALK_STEPS: i64 = 400;

/// The summary of a day.
pub fn daily(user: &User, midnight: UnixSeconds) -> Record {
    daily_of(user, &Today::of(user, midnight))
}

/// So many quarters of an hour of a day, at most 96, evenly spread.
pub fn epochs(user: &User, midnight: UnixSeconds, count: u32) -> Vec<Record> {
    epochs_of(user, &Today::of(user, midnight), count)
}

pub(super) fn daily_of(user: &User, today: &Today) -> Record {
    let total = |of: fn(&Quarter) -> i64| today.quarters.iter().map(of).sum::<i64>();
    let vigorous = total(|quarter| quarter.run_seconds) / 60 * 60;
    let moderate = total(|quarter| if quarter.walked_steps > 2 * WALK_STEPS { 600 } else { 0 });
    let mut content = json!({
        "summaryId": user.summary_id(today.start.0),
        "calendarDate": today.date,
        "activityType": "GENERIC",
        "startTimeInSeconds": today.start.0,
        "startTimeOffsetInSeconds": user.offset_s,
        "durationInSeconds": DAY_S,
        "activeKilocalories": total(|quarter| quarter.kilocalories),
        "bmrKilocalories": today.habits.bmr,
        "steps": total(Quarter::steps),
        "stepsGoal": 8000,
        "distanceInMeters": total(|quarter| quarter.distance_cm) as f64 / 100.0,
        "activeTimeInSeconds": total(Quarter::active_seconds),
        "floorsClimbed": total(|quarter| quarter.walked_steps / WALK_STEPS),
        "floorsClimbedGoal": 10,
        "moderateIntensityDurationInSeconds": moderate,
        "vigorousIntensityDurationInSeconds": vigorous,
        "intensityDurationGoalInSeconds": 9000,
    });
    if let Some(members) = content.as_object_mut() {
        members.extend(heart_rates(today));
        members.extend(Strain::of(user, today).of_daily());
    }
    Record::new(user, "dailies", content)
}

fn heart_rates(today: &Today) -> Map<String, Value> {
    let beats: Vec<i64> = today.quarters.iter().map(|quarter| quarter.heart_rate).collect();
    let hourly: Map<String, Value> = (0..)
        .zip(beats.iter().step_by(4))
        .map(|(hour, rate): (i64, _)| ((hour * 4 * QUARTER_S).to_string(), json!(rate)))
        .collect();
    let in_run = today.run.as_ref().map_or(0, |run| run.totals.heart_rate_max);
    let lowest = beats.iter().min().copied().unwrap_or(0) - 2;
    let mean = beats.iter().sum::<i64>() / i64::try_from(beats.len().max(1)).unwrap_or(1);
    let rates = json!({
        "minHeartRateInBeatsPerMinute": lowest.min(today.habits.resting),
        "averageHeartRateInBeatsPerMinute": mean,
        "maxHeartRateInBeatsPerMinute": beats.iter().max().map_or(in_run, |highest| in_run.max(highest + 4)),
        "restingHeartRateInBeatsPerMinute": today.habits.resting,
        "timeOffsetHeartRateSamples": hourly,
    });
    rates.as_object().cloned().unwrap_or_default()
}

pub(super) fn epochs_of(user: &User, today: &Today, count: u32) -> Vec<Record> {
    let (count, all) = (usize::try_from(count).unwrap_or(usize::MAX), today.quarters.len());
    let count = count.min(all);
    (0..count).map(|number| epoch(user, today, number * all / count)).collect()
}

fn epoch(user: &User, today: &Today, number: usize) -> Record {
    let (start, quarter) = (today.time_of(number), &today.quarters[number]);
    let (kind, intensity) = match quarter.steps() {
        _ if quarter.run_seconds > QUARTER_S / 3 => ("RUNNING", "HIGHLY_ACTIVE"),
        steps if steps > WALK_STEPS => ("WALKING", "ACTIVE"),
        _ => ("SEDENTARY", "SEDENTARY"),
    };
    // What the movement costs on top of resting, in multiples of resting.
    let resting = (today.habits.bmr as f64 / 96.0).max(1.0);
    let exertion = 1.0 + quarter.kilocalories as f64 / resting;
    let motion = (quarter.active_seconds() * 70 / QUARTER_S) as f64 / 10.0;
    Record::new(
        user,
        "epochs",
        json!({
            "summaryId": format!("{}-6", user.summary_id(start.0)),
            "activityType": kind,
            "activeKilocalories": quarter.kilocalories,
            "steps": quarter.steps(),
            "distanceInMeters": quarter.distance_cm as f64 / 100.0,
            "durationInSeconds": QUARTER_S,
            "activeTimeInSeconds": quarter.active_seconds(),
            "startTimeInSeconds": start.0,
            "startTimeOffsetInSeconds": user.offset_s,
            "met": (exertion * 1e6).round() / 1e6,
            "intensity": intensity,
            "meanMotionIntensity": motion,
            "maxMotionIntensity": motion.ceil() as i64,
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::user::Population;

    const MIDNIGHT: UnixSeconds = UnixSeconds(1_793_491_200);

    fn field(record: &Record, name: &str) -> i64 {
        record.content[name].as_i64().expect("a number")
    }

    #[test]
    fn steps_of_a_day_are_those_of_its_epochs() {
        for user in Population::new(91, 5).users() {
            for number in 0..14 {
                let midnight = MIDNIGHT.plus(number * DAY_S);
                let (daily, epochs) = (daily(user, midnight), epochs(user, midnight, 96));
                for name in ["steps", "activeTimeInSeconds", "activeKilocalories"] {
                    assert_eq!(field(&daily, name), epochs.iter().map(|epoch| field(epoch, name)).sum::<i64>());
                }
                assert!((1000..40_000).contains(&field(&daily, "steps")));
            }
        }
    }

    #[test]
    fn run_counts_in_its_day_and_a_rest_day_has_none() {
        for user in Population::new(92, 5).users() {
            let mut runs = 0;
            for number in 0..14 {
                let today = Today::of(user, MIDNIGHT.plus(number * DAY_S));
                let daily = daily_of(user, &today);
                let vigorous = field(&daily, "vigorousIntensityDurationInSeconds");
                let (highest, run) = (field(&daily, "maxHeartRateInBeatsPerMinute"), &today.run);
                assert_eq!(vigorous, run.as_ref().map_or(0, |run| run.totals.seconds / 60 * 60));
                assert!(run.as_ref().is_none_or(|run| highest >= run.totals.heart_rate_max));
                assert!(run.as_ref().is_none_or(|run| field(&daily, "steps") > run.totals.steps));
                runs += i32::from(run.is_some());
            }
            assert!((3..=10).contains(&runs), "{runs} runs in a fortnight");
        }
    }

    #[test]
    fn resting_heart_rate_lies_below_the_average_and_that_below_the_highest() {
        for user in Population::new(93, 8).users() {
            for number in 0..7 {
                let daily = daily(user, MIDNIGHT.plus(number * DAY_S));
                let rates = ["min", "resting", "average", "max"]
                    .map(|kind| field(&daily, &format!("{kind}HeartRateInBeatsPerMinute")));
                assert!(rates[0] <= rates[1] && rates[1] < rates[2] && rates[2] < rates[3], "{rates:?}");
            }
        }
    }
}
