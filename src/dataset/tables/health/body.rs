//! The tables of cuffs, scales and fitness estimates.

use super::{BY_RECORD, CALENDAR_DATE, IDS, TIME};
use crate::dataset::column::{Column, Rows, Table, When};

pub(crate) const BLOOD_PRESSURE: Table = Table {
    name: "blood_pressure",
    label: "One row for each blood pressure reading",
    summary_type: "bloodPressures",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        TIME,
        &[
            Column::int("systolic_mmhg", "systolic", "mmHg", "Systolic pressure"),
            Column::int("diastolic_mmhg", "diastolic", "mmHg", "Diastolic pressure"),
            Column::int("pulse_bpm", "pulse", "beats/min", "Pulse"),
            Column::text("source_type", "sourceType", "Whether a device measured it or a person entered it"),
        ],
    ],
};

pub(crate) const BODY_COMPS: Table = Table {
    name: "body_comps",
    label: "One row for each weighing",
    summary_type: "bodyComps",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        TIME,
        &[
            Column::int("weight_g", "weightInGrams", "g", "Weight"),
            Column::int("muscle_mass_g", "muscleMassInGrams", "g", "Mass of the muscles"),
            Column::int("bone_mass_g", "boneMassInGrams", "g", "Mass of the bones"),
            Column::num("body_water_pct", "bodyWaterInPercent", "%", "Share of water"),
            Column::num("body_fat_pct", "bodyFatInPercent", "%", "Share of fat"),
            Column::num("bmi", "bodyMassIndex", "kg/m²", "Body mass index"),
        ],
    ],
};

pub(crate) const USER_METRICS: Table = Table {
    name: "user_metrics",
    label: "One row for each day's estimates of fitness",
    summary_type: "userMetrics",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        &[
            CALENDAR_DATE,
            Column::num("vo2_max", "vo2Max", "mL/kg/min", "Highest oxygen uptake, from running and walking"),
            Column::num("vo2_max_cycling", "vo2MaxCycling", "mL/kg/min", "Highest oxygen uptake, from cycling"),
            Column::int("fitness_age", "fitnessAge", "a", "Age that the fitness is usual for"),
            Column::flag("enhanced", "enhanced", "Whether the fitness age is Garmin's enhanced one"),
        ],
    ],
};
