//! The tables of menstrual cycles and of the glucose readings of a pregnancy.
//!
//! Source: Women's Health API 1.0.4 §7.1. The weight goal and the readings stand in the snapshot by its table, and
//! beside it by the brackets of its first example; both places count.

use super::{BY_RECORD, IDS, head};
use crate::dataset::column::{Column, Head, Kind, Rows, Table, When};

pub(super) const CYCLE: Table = Table {
    name: "cycle",
    label: "One row for each menstrual cycle, in its latest version",
    summary_type: "mct",
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        &[
            Column::date("period_start_date", "periodStartDate", "First day of the period"),
            Column::instant("last_updated_utc", "lastUpdatedTimeInSeconds", "When the participant last logged"),
            Column::int("day_in_cycle", "dayInCycle", "d", "Day of the cycle, counted from 1"),
            Column::int("period_length_d", "periodLength", "d", "Usual length of the period"),
            Column::int("current_phase", "currentPhase", "", "Phase of the cycle, as Garmin's number"),
            Column::text("current_phase_type", "currentPhaseType", "Phase of the cycle, as Garmin names it"),
            Column::int("phase_length_d", "lengthOfCurrentPhase", "d", "Length of the phase"),
            Column::int("days_until_next_phase", "daysUntilNextPhase", "d", "Days to the next predicted phase"),
            Column::int(
                "fertile_window_start",
                "fertileWindowStart",
                "d",
                "Day of the cycle the fertile window begins on",
            ),
            Column::int("fertile_window_length_d", "lengthOfFertileWindow", "d", "Length of the fertile window"),
            Column::int("predicted_cycle_length_d", "predictedCycleLength", "d", "Predicted length of the cycle"),
            Column::flag("is_predicted_cycle", "isPredictedCycle", "Whether the cycle is a prediction"),
            Column::int("cycle_length_d", "cycleLength", "d", "Length of the cycle as logged"),
            Column::flag(
                "cycle_length_specified",
                "hasSpecifiedCycleLength",
                "Whether the participant gave the cycle's length",
            ),
            Column::flag(
                "period_length_specified",
                "hasSpecifiedPeriodLength",
                "Whether the participant gave the period's length",
            ),
            Column::text(
                "pregnancy_title",
                "pregnancySnapshot.title",
                "Title of the pregnancy; empty unless names are kept",
            ),
            Column::date(
                "pregnancy_start_date",
                "pregnancySnapshot.pregnancyCycleStartDate",
                "Start of the pregnancy's cycle",
            ),
            Column::date("original_due_date", "pregnancySnapshot.originalDueDate", "Due date as first entered"),
            Column::date("due_date", "pregnancySnapshot.dueDate", "Due date as last entered"),
            Column::text("babies", "pregnancySnapshot.numOfBabies", "Number of babies, in Garmin's words"),
            Column::num(
                "height_cm",
                "pregnancySnapshot.weightGoalUserInput.heightInCentimeters|weightGoalUserInput.heightInCentimeters",
                "cm",
                "Height entered with the pregnancy",
            ),
            Column::num(
                "weight_g",
                "pregnancySnapshot.weightGoalUserInput.weightInGrams|weightGoalUserInput.weightInGrams",
                "g",
                "Weight entered with the pregnancy",
            ),
        ],
    ],
};

pub(super) const GLUCOSE: Table = Table {
    name: "cycle_glucose",
    label: "One row for each blood glucose reading that a participant logged during a pregnancy",
    summary_type: "mct",
    rows: Rows::Elements("pregnancySnapshot.bloodGlucoseList|bloodGlucoseList"),
    time: When::Members("reportTimestampInSeconds", ""),
    key: &["participant", "record_id", "reading"],
    columns: &[
        IDS,
        &[
            head("reading", Head::Number, Kind::Integer, "", "Number of the reading within the record, from 1"),
            head("time_utc", Head::TimeUtc, Kind::Instant, "", "Time of the reading, UTC"),
            Column::num("glucose_mg_dl", "valueInMilligramsPerDeciliter", "mg/dL", "Blood glucose"),
            Column::text("log_type", "logType", "Occasion of the reading, as Garmin names it"),
        ],
    ],
};
