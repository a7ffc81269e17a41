//! The tables of oxygen, breathing and health snapshots.

use super::{BY_OFFSET, BY_RECORD, CALENDAR_DATE, DURATION, IDS, OFFSET, START, TIME, head};
use crate::dataset::column::{Column, Head, Kind, Rows, Table, When};

pub(crate) const SPO2: Table = Table {
    name: "spo2",
    label: "One row for each record of oxygen saturation; its values are in a table of their own",
    summary_type: "pulseox",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[CALENDAR_DATE, DURATION, Column::flag("on_demand", "onDemand", "Whether the participant asked for it")],
    ],
};

const SATURATION: Column =
    Column::int("spo2_pct", "timeOffsetSpo2Values", "%", "Oxygen saturation").in_map().measured();

pub(crate) const SPO2_VALUES: Table = Table {
    name: "spo2_values",
    label: "One row for each value of oxygen saturation",
    summary_type: "pulseox",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[
        IDS,
        OFFSET,
        TIME,
        &[SATURATION, SATURATION.status_of("spo2_status", "Why there is no oxygen saturation")],
    ],
};

pub(crate) const RESPIRATION: Table = Table {
    name: "respiration",
    label: "One row for each record of breathing; its values are in a table of their own",
    summary_type: "allDayRespiration",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[DURATION]],
};

const BREATHS: Column =
    Column::num("breaths_per_min", "timeOffsetEpochToBreaths", "breaths/min", "Breathing rate").in_map().measured();

pub(crate) const RESPIRATION_VALUES: Table = Table {
    name: "respiration_values",
    label: "One row for each value of breathing",
    summary_type: "allDayRespiration",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[IDS, OFFSET, TIME, &[BREATHS, BREATHS.status_of("breaths_status", "Why there is no breathing rate")]],
};

pub(crate) const SNAPSHOT: Table = Table {
    name: "health_snapshot",
    label: "One row for each health snapshot; what was measured is in tables of its own",
    summary_type: "healthSnapshot",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[CALENDAR_DATE, DURATION]],
};

const MEASURE: Column = Column::text("measure", "summaryType", "What was measured, as Garmin names it");
const AVERAGE: Column = Column::num("avg_value", "avgValue", "", "Mean, in the unit of what was measured").measured();
const VALUE: Column =
    Column::num("value", "epochSummaries", "", "Value, in the unit of what was measured").in_map().measured();

pub(crate) const SNAPSHOT_ITEMS: Table = Table {
    name: "health_snapshot_items",
    label: "One row for each thing that a health snapshot measured",
    summary_type: "healthSnapshot",
    rows: Rows::Elements("summaries"),
    time: When::Record,
    key: &["participant", "record_id", "item"],
    columns: &[
        IDS,
        &[head("item", Head::Number, Kind::Integer, "", "Number of the thing measured within the snapshot, from 1")],
        START,
        &[
            MEASURE,
            Column::num("min_value", "minValue", "", "Lowest value, in the unit of what was measured"),
            Column::num("max_value", "maxValue", "", "Highest value, in the unit of what was measured"),
            AVERAGE,
            AVERAGE.status_of("avg_status", "Why there is no mean"),
        ],
    ],
};

pub(crate) const SNAPSHOT_VALUES: Table = Table {
    name: "health_snapshot_values",
    label: "One row for each value of what a health snapshot measured, mostly one in 5 seconds",
    summary_type: "healthSnapshot",
    rows: Rows::Offsets("summaries"),
    time: When::Offset,
    key: &["participant", "record_id", "item", "offset_s"],
    columns: &[
        IDS,
        &[head("item", Head::Number, Kind::Integer, "", "Number of the thing measured within the snapshot, from 1")],
        OFFSET,
        TIME,
        &[MEASURE, VALUE, VALUE.status_of("value_status", "Why there is no value")],
    ],
};
