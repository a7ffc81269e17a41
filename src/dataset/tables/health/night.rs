//! The tables of nights: sleep, its stages and naps, and what is measured in it.

use super::{BY_OFFSET, BY_RECORD, CALENDAR_DATE, DURATION, IDS, OFFSET, START, TIME, head};
use crate::dataset::column::{Column, Head, Kind, Rows, Table, When};

pub(crate) const SLEEPS: Table = Table {
    name: "sleeps",
    label: "One row for each night's sleep",
    summary_type: "sleeps",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[IDS, START, &[CALENDAR_DATE, DURATION], STAGE_LENGTHS, SCORES],
};

pub(crate) const STAGES: Table = Table {
    name: "sleep_stages",
    label: "One row for each stretch of a night in one stage of sleep",
    summary_type: "sleeps",
    rows: Rows::Spans("sleepLevelsMap", &["deep", "light", "rem", "awake", "unmeasurable"]),
    time: When::Members("startTimeInSeconds", ""),
    key: &["participant", "record_id", "span"],
    columns: &[
        IDS,
        &[head("span", Head::Number, Kind::Integer, "", "Number of the stretch within the night, from 1")],
        START,
        &[
            Column::instant("end_utc", "endTimeInSeconds", "End, UTC"),
            head("stage", Head::Member, Kind::Text, "", "Stage of sleep, as Garmin names it")
                .values("deep, light, rem, awake, unmeasurable"),
        ],
    ],
};

pub(crate) const NAPS: Table = Table {
    name: "sleep_naps",
    label: "One row for each nap of the day that a night's sleep belongs to",
    summary_type: "sleeps",
    rows: Rows::Elements("naps"),
    time: When::Members("napStartTimeInSeconds", "napOffsetInSeconds"),
    key: &["participant", "record_id", "nap"],
    columns: &[
        IDS,
        &[head("nap", Head::Number, Kind::Integer, "", "Number of the nap within the record, from 1")],
        START,
        &[
            Column::int("duration_s", "napDurationInSeconds", "s", "Duration"),
            Column::text("validation", "napValidation", "How sure the nap is, as Garmin names it"),
        ],
    ],
};

const SPO2: Column = Column::int("spo2_pct", "timeOffsetSleepSpo2", "%", "Oxygen saturation").in_map().measured();
const BREATHS: Column =
    Column::num("breaths_per_min", "timeOffsetSleepRespiration", "breaths/min", "Breathing rate").in_map().measured();

pub(crate) const VALUES: Table = Table {
    name: "sleep_values",
    label: "One row for each time in a night's sleep that oxygen or breathing was measured",
    summary_type: "sleeps",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[
        IDS,
        OFFSET,
        TIME,
        &[
            SPO2,
            SPO2.status_of("spo2_status", "Why there is no oxygen saturation"),
            BREATHS,
            BREATHS.status_of("breaths_status", "Why there is no breathing rate"),
        ],
    ],
};

pub(crate) const HRV: Table = Table {
    name: "hrv",
    label: "One row for each night's heart rate variability",
    summary_type: "hrv",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            CALENDAR_DATE,
            DURATION,
            Column::num("last_night_avg_ms", "lastNightAvg", "ms", "Mean variability of the night"),
            Column::num("last_night_5min_high_ms", "lastNight5MinHigh", "ms", "Highest variability of five minutes"),
        ],
    ],
};

pub(crate) const HRV_VALUES: Table = Table {
    name: "hrv_values",
    label: "One row for each value of a night's heart rate variability, mostly one in 5 minutes",
    summary_type: "hrv",
    rows: Rows::Offsets(""),
    time: When::Offset,
    key: BY_OFFSET,
    columns: &[IDS, OFFSET, TIME, &[Column::num("hrv_ms", "hrvValues", "ms", "Heart rate variability").in_map()]],
};

pub(crate) const SKIN_TEMP: Table = Table {
    name: "skin_temp",
    label: "One row for each night's temperature of the skin",
    summary_type: "skinTemp",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            CALENDAR_DATE,
            DURATION,
            Column::num("avg_deviation_c", "avgDeviationCelsius", "°C", "Mean deviation from the usual temperature"),
        ],
    ],
};

const STAGE_LENGTHS: &[Column] = &[
    Column::int("deep_s", "deepSleepDurationInSeconds", "s", "Time in deep sleep"),
    Column::int("light_s", "lightSleepDurationInSeconds", "s", "Time in light sleep"),
    Column::int("rem_s", "remSleepInSeconds", "s", "Time in REM sleep"),
    Column::int("awake_s", "awakeDurationInSeconds", "s", "Time awake"),
    Column::int("unmeasurable_s", "unmeasurableSleepInSeconds", "s", "Time that could not be told"),
    Column::int("naps_s", "totalNapDurationInSeconds", "s", "Duration of all naps of the day"),
    Column::text("validation", "validation", "How sure the sleep is, as Garmin names it"),
];

const SCORES: &[Column] = &[
    Column::num("score", "overallSleepScore.value", "", "Score of the night, 0 to 100"),
    Column::text("score_key", "overallSleepScore.qualifierKey", "Score of the night in a word"),
    Column::num("duration_score", "sleepScores.totalDuration.value", "", "Score of the duration"),
    Column::text("duration_score_key", "sleepScores.totalDuration.qualifierKey", "Score of the duration in a word"),
    Column::num("stress_score", "sleepScores.stress.value", "", "Score of the stress"),
    Column::text("stress_score_key", "sleepScores.stress.qualifierKey", "Score of the stress in a word"),
    Column::num("awake_score", "sleepScores.awakeCount.value", "", "Score of the times awake"),
    Column::text("awake_score_key", "sleepScores.awakeCount.qualifierKey", "Score of the times awake in a word"),
    Column::num("rem_score", "sleepScores.remPercentage.value", "", "Score of the share of REM sleep"),
    Column::text(
        "rem_score_key",
        "sleepScores.remPercentage.qualifierKey",
        "Score of the share of REM sleep in a word",
    ),
    Column::num("restless_score", "sleepScores.restlessness.value", "", "Score of the restlessness"),
    Column::text("restless_score_key", "sleepScores.restlessness.qualifierKey", "Score of the restlessness in a word"),
    Column::num("light_score", "sleepScores.lightPercentage.value", "", "Score of the share of light sleep"),
    Column::text("light_score_key", "sleepScores.lightPercentage.qualifierKey", "Score of the light sleep in a word"),
    Column::num("deep_score", "sleepScores.deepPercentage.value", "", "Score of the share of deep sleep"),
    Column::text("deep_score_key", "sleepScores.deepPercentage.qualifierKey", "Score of the deep sleep in a word"),
];
