//! The tables of stress and body battery.

use super::{BY_OFFSET, BY_RECORD, CALENDAR_DATE, DURATION, IDS, OFFSET, START, TIME, head};
use crate::dataset::column::{Column, Head, Kind, Rows, Table, When};

pub(crate) const STRESS: Table = Table {
    name: "stress",
    label: "One row for each day's stress and body battery; their values are in a table of their own",
    summary_type: "stressDetails",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            CALENDAR_DATE,
            DURATION,
            Column::instant(
                "feedback_utc",
                "bodyBatteryDynamicFeedbackEvent.eventStartTimeInSeconds",
                "When the participant was last told of the body battery, UTC",
            ),
            Column::text(
                "feedback_level",
                "bodyBatteryDynamicFeedbackEvent.bodyBatteryLevel",
                "What was told of the body battery, as Garmin names it",
            ),
        ],
    ],
};

const LEVEL: Column =
    Column::int("stress_level", "timeOffsetStressLevelValues", "", "Stress level, 0 to 100").in_map().measured();
const BATTERY: Column =
    Column::int("body_battery", "timeOffsetBodyBatteryValues", "", "Body battery, 0 to 100").in_map().measured();

pub(crate) const VALUES: Table = Table {
    name: "stress_values",
    label: "One row for each time of a day that stress or body battery has a value, mostly one in 3 minutes",
    summary_type: "stressDetails",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[
        IDS,
        OFFSET,
        TIME,
        &[
            LEVEL,
            LEVEL.status_of("stress_status", "Why there is no stress level"),
            BATTERY,
            BATTERY.status_of("body_battery_status", "Why there is no body battery"),
        ],
    ],
};

pub(crate) const EVENTS: Table = Table {
    name: "body_battery_events",
    label: "One row for each thing in a day that charged or drained the body battery",
    summary_type: "stressDetails",
    rows: Rows::Elements("bodyBatteryActivityEvents"),
    time: When::Members("eventStartTimeInSeconds", "eventStartTimeOffsetInSeconds"),
    key: &["participant", "record_id", "event"],
    columns: &[
        IDS,
        &[head("event", Head::Number, Kind::Integer, "", "Number of the event within the record, from 1")],
        START,
        &[
            DURATION,
            Column::text("event_type", "eventType", "Kind of event, as Garmin names it"),
            Column::int("body_battery_impact", "bodyBatteryImpact", "", "What it added to the body battery"),
            Column::text("activity_type", "activityType", "Kind of activity, as Garmin names it"),
            Column::text("activity_name", "activityName", "Name of the activity; empty unless names are kept"),
        ],
    ],
};
