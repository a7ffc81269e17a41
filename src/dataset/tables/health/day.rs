//! The tables of whole days and of their quarters of an hour.

use super::{BY_OFFSET, BY_RECORD, CALENDAR_DATE, DURATION, IDS, OFFSET, START, TIME};
use crate::dataset::column::{Column, Rows, Table, When};

pub(crate) const DAILIES: Table = Table {
    name: "dailies",
    label: "One row for each day's summary",
    summary_type: "dailies",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[CALENDAR_DATE, DURATION], MOVEMENT, HEART_AND_STRAIN],
};

pub(crate) const HEART_RATES: Table = Table {
    name: "daily_heart_rates",
    label: "One row for each heart rate of a day's summary, mostly one in 15 seconds",
    summary_type: "dailies",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[
        IDS,
        OFFSET,
        TIME,
        &[Column::int("heart_rate_bpm", "timeOffsetHeartRateSamples", "beats/min", "Heart rate").in_map()],
    ],
};

pub(crate) const EPOCHS: Table = Table {
    name: "epochs",
    label: "One row for each kind of activity within each quarter of an hour",
    summary_type: "epochs",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            DURATION,
            Column::text("activity_type", "activityType", "Kind of activity, as Garmin names it"),
            Column::text("intensity", "intensity", "Intensity, as Garmin names it"),
            Column::int("active_time_s", "activeTimeInSeconds", "s", "Time spent in this kind of activity"),
            Column::int("steps", "steps", "steps", "Steps"),
            Column::num("distance_m", "distanceInMeters", "m", "Distance"),
            Column::int("pushes", "pushes", "pushes", "Pushes of a wheelchair"),
            Column::num("push_distance_m", "pushDistanceInMeters", "m", "Distance in a wheelchair"),
            Column::int("active_kcal", "activeKilocalories", "kcal", "Energy used above resting"),
            Column::num("met", "met", "MET", "Metabolic equivalent"),
            Column::num("mean_motion_intensity", "meanMotionIntensity", "", "Mean of Garmin's motion score, 0 to 7"),
            Column::num("max_motion_intensity", "maxMotionIntensity", "", "Highest of Garmin's motion score, 0 to 7"),
        ],
    ],
};

const MOVEMENT: &[Column] = &[
    Column::text("activity_type", "activityType", "Kind of activity, as Garmin names it"),
    Column::int("steps", "steps", "steps", "Steps"),
    Column::int("steps_goal", "stepsGoal", "steps", "Goal for the steps"),
    Column::num("distance_m", "distanceInMeters", "m", "Distance"),
    Column::int("pushes", "pushes", "pushes", "Pushes of a wheelchair"),
    Column::int("pushes_goal", "pushesGoal", "pushes", "Goal for the pushes"),
    Column::num("push_distance_m", "pushDistanceInMeters", "m", "Distance in a wheelchair"),
    Column::int("active_time_s", "activeTimeInSeconds", "s", "Time in motion"),
    Column::int("moderate_intensity_s", "moderateIntensityDurationInSeconds", "s", "Time at moderate intensity"),
    Column::int("vigorous_intensity_s", "vigorousIntensityDurationInSeconds", "s", "Time at vigorous intensity"),
    Column::int("intensity_goal_s", "intensityDurationGoalInSeconds", "s", "Goal for the time at intensity, a week"),
    Column::int("floors_climbed", "floorsClimbed", "floors", "Floors climbed"),
    Column::int("floors_climbed_goal", "floorsClimbedGoal", "floors", "Goal for the floors"),
    Column::int("active_kcal", "activeKilocalories", "kcal", "Energy used above resting"),
    Column::int("bmr_kcal", "bmrKilocalories", "kcal", "Energy used by resting alone"),
    Column::int("consumed_kcal", "consumedCalories", "kcal", "Energy eaten, as the participant logged it"),
    Column::int("net_kcal_goal", "netKilocaloriesGoal", "kcal", "Goal for energy eaten less energy used"),
];

const AVERAGE_STRESS: Column =
    Column::int("avg_stress_level", "averageStressLevel", "", "Mean stress level, 0 to 100").measured();
const MAX_STRESS: Column =
    Column::int("max_stress_level", "maxStressLevel", "", "Highest stress level, 0 to 100").measured();

const HEART_AND_STRAIN: &[Column] = &[
    Column::int("min_heart_rate_bpm", "minHeartRateInBeatsPerMinute", "beats/min", "Lowest heart rate"),
    Column::int("avg_heart_rate_bpm", "averageHeartRateInBeatsPerMinute", "beats/min", "Mean heart rate"),
    Column::int("max_heart_rate_bpm", "maxHeartRateInBeatsPerMinute", "beats/min", "Highest heart rate"),
    Column::int("resting_heart_rate_bpm", "restingHeartRateInBeatsPerMinute", "beats/min", "Resting heart rate"),
    AVERAGE_STRESS,
    AVERAGE_STRESS.status_of("avg_stress_status", "Why there is no mean stress level"),
    MAX_STRESS,
    MAX_STRESS.status_of("max_stress_status", "Why there is no highest stress level"),
    Column::int("stress_s", "stressDurationInSeconds", "s", "Time in stress of any level"),
    Column::int("rest_s", "restStressDurationInSeconds", "s", "Time at rest, levels up to 25"),
    Column::int("activity_stress_s", "activityStressDurationInSeconds", "s", "Time in motion, no level told"),
    Column::int("low_stress_s", "lowStressDurationInSeconds", "s", "Time in low stress, levels 26 to 50"),
    Column::int("medium_stress_s", "mediumStressDurationInSeconds", "s", "Time in medium stress, levels 51 to 75"),
    Column::int("high_stress_s", "highStressDurationInSeconds", "s", "Time in high stress, levels from 76"),
    Column::text("stress_qualifier", "stressQualifier", "The day's stress in a word, as Garmin names it"),
    Column::int("body_battery_charged", "bodyBatteryChargedValue", "", "Body battery gained, of 100"),
    Column::int("body_battery_drained", "bodyBatteryDrainedValue", "", "Body battery used, of 100"),
];
