//! The tables of activity details: the activity as its details sum it up, its samples and its laps.
//!
//! Source: Activity API 1.2.3 §7.3.

use super::activity::{ACTIVITY, ACTIVITY_ID};
use super::{BY_RECORD, IDS, START, TIME, head};
use crate::dataset::column::{Column, Head, Kind, Rows, Table, When};

pub(super) const DETAILS: Table = Table {
    name: "activity_details",
    label: "One row for each activity that came with details; its samples and laps are in tables of their own",
    summary_type: "activityDetails",
    rows: Rows::Record("summary"),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[ACTIVITY_ID.of_record()], ACTIVITY],
};

pub(super) const SAMPLES: Table = Table {
    name: "activity_samples",
    label: "One row for each sample of an activity, up to one a second; its values hold until the next sample",
    summary_type: "activityDetails",
    rows: Rows::Elements("samples"),
    time: When::Members("startTimeInSeconds", ""),
    key: &["participant", "record_id", "sample"],
    columns: &[
        IDS,
        &[
            ACTIVITY_ID.of_record(),
            head("sample", Head::Number, Kind::Integer, "", "Number of the sample within the record, from 1"),
        ],
        TIME,
        &[
            Column::int("heart_rate_bpm", "heartRate", "beats/min", "Heart rate"),
            Column::num("speed_mps", "speedMetersPerSecond", "m/s", "Speed"),
            Column::num("distance_m", "totalDistanceInMeters", "m", "Distance since the start"),
            Column::num("elevation_m", "elevationInMeters", "m", "Elevation"),
            Column::num("air_temperature_c", "airTemperatureCelcius", "°C", "Temperature of the air"),
            Column::num("steps_per_min", "stepsPerMinute", "steps/min", "Running or walking cadence"),
            Column::num("bike_cadence_rpm", "bikeCadenceInRPM", "rounds/min", "Cycling cadence"),
            Column::num("push_cadence_ppm", "directWheelchairCadence", "pushes/min", "Wheelchair cadence"),
            Column::num("swim_cadence_spm", "swimCadenceInStrokesPerMinute", "strokes/min", "Swimming cadence"),
            Column::num("power_w", "powerInWatts", "W", "Power"),
            Column::int("clock_duration_s", "clockDurationInSeconds", "s", "Time since the start"),
            Column::int("timer_duration_s", "timerDurationInSeconds", "s", "Time since the start without pauses"),
            Column::int("moving_duration_s", "movingDurationInSeconds", "s", "Time in motion since the start"),
            Column::num("latitude_deg", "latitudeInDegree", "degree", "Latitude; empty where positions are dropped"),
            Column::num("longitude_deg", "longitudeInDegree", "degree", "Longitude; empty where positions are dropped"),
        ],
    ],
};

pub(super) const LAPS: Table = Table {
    name: "activity_laps",
    label: "One row for each lap of an activity; it ends where the next one begins",
    summary_type: "activityDetails",
    rows: Rows::Elements("laps"),
    time: When::Members("startTimeInSeconds", ""),
    key: &["participant", "record_id", "lap"],
    columns: &[
        IDS,
        &[
            ACTIVITY_ID.of_record(),
            head("lap", Head::Number, Kind::Integer, "", "Number of the lap within the record, from 1"),
        ],
        START,
    ],
};
