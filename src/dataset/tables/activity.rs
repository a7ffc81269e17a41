//! The tables of activities: recorded, entered by hand, and found by Move IQ.
//!
//! Source: Activity API 1.2.3 §7.1, §7.2 and §7.5.

use super::{BY_RECORD, CALENDAR_DATE, DURATION, IDS, START};
use crate::dataset::column::{Column, Rows, Table, When};

pub(super) const ACTIVITIES: Table = Table {
    name: "activities",
    label: "One row for each activity that a participant started on a device or uploaded",
    summary_type: "activities",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[ACTIVITY_ID], ACTIVITY],
};

pub(super) const MANUAL: Table = Table {
    name: "manual_activities",
    label: "One row for each activity that a participant entered or changed by hand",
    summary_type: "manuallyUpdatedActivities",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[ACTIVITY_ID], ACTIVITY],
};

pub(super) const MOVE_IQ: Table = Table {
    name: "move_iq",
    label: "One row for each activity that a device found by itself",
    summary_type: "moveIQActivities",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            CALENDAR_DATE,
            Column::text("activity_type", "activityType", "Kind of activity, as Garmin names it"),
            Column::text("activity_sub_type", "activitySubType", "Kind within the kind, as Garmin names it"),
            DURATION,
        ],
    ],
};

pub(super) const ACTIVITY_ID: Column =
    Column::text("activity_id", "activity_id", "Pseudonym of the activity, shared by its records");
pub(super) const ACTIVITY_TYPE: Column =
    Column::text("activity_type", "activityType", "Kind of activity, as Garmin names it");
pub(super) const ACTIVITY_NAME: Column =
    Column::text("activity_name", "activityName", "Name of the activity; empty unless names are kept");
pub(super) const DESCRIPTION: Column =
    Column::text("activity_description", "activityDescription", "Description; empty unless names are kept");
pub(super) const DEVICE_NAME: Column = Column::text("device_name", "deviceName", "Model of the device");
pub(super) const MANUALLY: Column = Column::flag("manual", "manual|Manual", "Whether it was entered by hand");

/// What is said of an activity, alike in all its records.
pub(super) const ACTIVITY: &[Column] = &[
    Column::text("parent_record_id", "parent_record_id", "record_id of the activity it is a part of"),
    Column::flag("is_parent", "isParent", "Whether other activities are parts of it"),
    ACTIVITY_TYPE,
    ACTIVITY_NAME,
    DESCRIPTION,
    DEVICE_NAME,
    MANUALLY,
    Column::flag("web_upload", "isWebUpload", "Whether it was uploaded through the website"),
    DURATION,
    Column::num("distance_m", "distanceInMeters", "m", "Distance"),
    Column::int("active_kcal", "activeKilocalories", "kcal", "Energy used during the activity"),
    Column::int("steps", "steps", "steps", "Steps"),
    Column::int("pushes", "pushes", "pushes", "Pushes of a wheelchair"),
    Column::int("active_lengths", "numberOfActiveLengths", "lengths", "Pool lengths swum"),
    Column::num("avg_heart_rate_bpm", "averageHeartRateInBeatsPerMinute", "beats/min", "Mean heart rate"),
    Column::num("max_heart_rate_bpm", "maxHeartRateInBeatsPerMinute", "beats/min", "Highest heart rate"),
    Column::num("avg_speed_mps", "averageSpeedInMetersPerSecond", "m/s", "Mean speed"),
    Column::num("max_speed_mps", "maxSpeedInMetersPerSecond", "m/s", "Highest speed"),
    Column::num("avg_pace_min_per_km", "averagePaceInMinutesPerKilometer", "min/km", "Mean pace"),
    Column::num("max_pace_min_per_km", "maxPaceInMinutesPerKilometer", "min/km", "Fastest pace"),
    Column::num("avg_bike_cadence_rpm", "averageBikeCadenceInRoundsPerMinute", "rounds/min", "Mean cycling cadence"),
    Column::num("max_bike_cadence_rpm", "maxBikeCadenceInRoundsPerMinute", "rounds/min", "Highest cycling cadence"),
    Column::num("avg_run_cadence_spm", "averageRunCadenceInStepsPerMinute", "steps/min", "Mean running cadence"),
    Column::num("max_run_cadence_spm", "maxRunCadenceInStepsPerMinute", "steps/min", "Highest running cadence"),
    Column::num("avg_push_cadence_ppm", "averagePushCadenceInPushesPerMinute", "pushes/min", "Mean wheelchair cadence"),
    Column::num("max_push_cadence_ppm", "maxPushCadenceInPushesPerMinute", "pushes/min", "Highest wheelchair cadence"),
    Column::num("avg_swim_cadence_spm", "averageSwimCadenceInStrokesPerMinute", "strokes/min", "Mean swimming cadence"),
    Column::num("elevation_gain_m", "totalElevationGainInMeters", "m", "Sum of climbs"),
    Column::num("elevation_loss_m", "totalElevationLossInMeters", "m", "Sum of descents"),
    Column::num(
        "start_latitude_deg",
        "startingLatitudeInDegree",
        "degree",
        "Latitude at the start; empty where dropped",
    ),
    Column::num(
        "start_longitude_deg",
        "startingLongitudeInDegree",
        "degree",
        "Longitude at the start; empty where dropped",
    ),
];
