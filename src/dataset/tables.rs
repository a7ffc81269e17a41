//! The tables: every column of the dataset, declared once.
//!
//! Sources: Activity API 1.2.3 §7.1 and Women's Health API 1.0.4 §7.1. A column that a study's rules drop stays, empty,
//! so that every dataset has the same columns.

mod activity_files;

use crate::dataset::column::{
    Column, Head, Kind,
    Kind::{Boolean, Date, Instant, Integer, Number, Text, Time},
    Origin, Table, Trait,
};

/// The tables in the order they are written; the first has the participants.
pub const TABLES: &[Table] = &[PARTICIPANTS, ACTIVITIES, activity_files::TABLE, CYCLE];

const PARTICIPANTS: Table = Table {
    name: "participants",
    label: "One row for each participant of the study",
    types: &[],
    key: &["participant"],
    columns: &[
        of("participant", Trait::Code, Text, "", "Code of the participant"),
        STATE,
        of("window_from_utc", Trait::WindowFrom, Instant, "", "First second the study collects"),
        of("window_to_utc", Trait::WindowTo, Instant, "", "Second after the last one the study collects"),
        of("consent_version", Trait::ConsentVersion, Text, "", "Version of the consent document"),
        of("consent_date", Trait::ConsentDate, Date, "", "Day of consent"),
        of("first_record_utc", Trait::FirstRecord, Instant, "", "Start of the earliest record"),
        of("last_record_utc", Trait::LastRecord, Instant, "", "Start of the latest record"),
        of("records", Trait::Records, Integer, "", "Records of all types in this dataset"),
    ],
};

const ACTIVITIES: Table = Table {
    name: "activities",
    label: "One row for each activity that a participant started on a device or uploaded",
    types: &["activities"],
    key: &["participant", "record_id"],
    columns: &[
        PARTICIPANT,
        RECORD_ID,
        START_UTC,
        UTC_OFFSET,
        LOCAL_DATE,
        LOCAL_TIME,
        Column::garmin("activity_id", "activity_id", Text, "", "Pseudonym of the activity, shared by its records"),
        Column::garmin("parent_record_id", "parent_record_id", Text, "", "record_id of the activity it is a part of"),
        Column::garmin("is_parent", "isParent", Boolean, "", "Whether other activities are parts of it"),
        Column::garmin("activity_type", "activityType", Text, "", "Kind of activity, as Garmin names it"),
        Column::garmin("activity_name", "activityName", Text, "", "Name of the activity; empty unless names are kept"),
        Column::garmin(
            "activity_description",
            "activityDescription",
            Text,
            "",
            "Description; empty unless names are kept",
        ),
        Column::garmin("device_name", "deviceName", Text, "", "Model of the device"),
        Column::garmin("manual", "manual", Boolean, "", "Whether it was entered by hand"),
        Column::garmin("web_upload", "isWebUpload", Boolean, "", "Whether it was uploaded through the website"),
        Column::garmin("duration_s", "durationInSeconds", Integer, "s", "Duration"),
        Column::garmin("distance_m", "distanceInMeters", Number, "m", "Distance"),
        Column::garmin("active_kcal", "activeKilocalories", Integer, "kcal", "Energy used during the activity"),
        Column::garmin("steps", "steps", Integer, "steps", "Steps"),
        Column::garmin("pushes", "pushes", Integer, "pushes", "Pushes of a wheelchair"),
        Column::garmin("active_lengths", "numberOfActiveLengths", Integer, "lengths", "Pool lengths swum"),
        Column::garmin(
            "avg_heart_rate_bpm",
            "averageHeartRateInBeatsPerMinute",
            Integer,
            "beats/min",
            "Mean heart rate",
        ),
        Column::garmin(
            "max_heart_rate_bpm",
            "maxHeartRateInBeatsPerMinute",
            Integer,
            "beats/min",
            "Highest heart rate",
        ),
        Column::garmin("avg_speed_mps", "averageSpeedInMetersPerSecond", Number, "m/s", "Mean speed"),
        Column::garmin("max_speed_mps", "maxSpeedInMetersPerSecond", Number, "m/s", "Highest speed"),
        Column::garmin("avg_pace_min_per_km", "averagePaceInMinutesPerKilometer", Number, "min/km", "Mean pace"),
        Column::garmin("max_pace_min_per_km", "maxPaceInMinutesPerKilometer", Number, "min/km", "Fastest pace"),
        Column::garmin(
            "avg_bike_cadence_rpm",
            "averageBikeCadenceInRoundsPerMinute",
            Number,
            "rounds/min",
            "Mean cycling cadence",
        ),
        Column::garmin(
            "max_bike_cadence_rpm",
            "maxBikeCadenceInRoundsPerMinute",
            Number,
            "rounds/min",
            "Highest cycling cadence",
        ),
        Column::garmin(
            "avg_run_cadence_spm",
            "averageRunCadenceInStepsPerMinute",
            Number,
            "steps/min",
            "Mean running cadence",
        ),
        Column::garmin(
            "max_run_cadence_spm",
            "maxRunCadenceInStepsPerMinute",
            Number,
            "steps/min",
            "Highest running cadence",
        ),
        Column::garmin(
            "avg_push_cadence_ppm",
            "averagePushCadenceInPushesPerMinute",
            Number,
            "pushes/min",
            "Mean wheelchair cadence",
        ),
        Column::garmin(
            "max_push_cadence_ppm",
            "maxPushCadenceInPushesPerMinute",
            Number,
            "pushes/min",
            "Highest wheelchair cadence",
        ),
        Column::garmin(
            "avg_swim_cadence_spm",
            "averageSwimCadenceInStrokesPerMinute",
            Number,
            "strokes/min",
            "Mean swimming cadence",
        ),
        Column::garmin("elevation_gain_m", "totalElevationGainInMeters", Number, "m", "Sum of climbs"),
        Column::garmin("elevation_loss_m", "totalElevationLossInMeters", Number, "m", "Sum of descents"),
        Column::garmin(
            "start_latitude_deg",
            "startingLatitudeInDegree",
            Number,
            "degree",
            "Latitude at the start; empty unless positions are kept",
        ),
        Column::garmin(
            "start_longitude_deg",
            "startingLongitudeInDegree",
            Number,
            "degree",
            "Longitude at the start; empty unless positions are kept",
        ),
    ],
};

const CYCLE: Table = Table {
    name: "cycle",
    label: "One row for each menstrual cycle, in its latest version",
    types: &["mct"],
    key: &["participant", "record_id"],
    columns: &[
        PARTICIPANT,
        RECORD_ID,
        Column::garmin("period_start_date", "periodStartDate", Date, "", "First day of the period"),
        Column::garmin("last_updated_utc", "lastUpdatedTimeInSeconds", Instant, "", "When the participant last logged"),
        Column::garmin("day_in_cycle", "dayInCycle", Integer, "d", "Day of the cycle, counted from 1"),
        Column::garmin("period_length_d", "periodLength", Integer, "d", "Usual length of the period"),
        Column::garmin("current_phase", "currentPhase", Integer, "", "Phase of the cycle, as Garmin's number"),
        Column::garmin("current_phase_type", "currentPhaseType", Text, "", "Phase of the cycle, as Garmin names it"),
        Column::garmin("phase_length_d", "lengthOfCurrentPhase", Integer, "d", "Length of the phase"),
        Column::garmin("days_until_next_phase", "daysUntilNextPhase", Integer, "d", "Days to the next predicted phase"),
        Column::garmin(
            "fertile_window_start",
            "fertileWindowStart",
            Integer,
            "d",
            "Day of the cycle on which the fertile window begins",
        ),
        Column::garmin(
            "fertile_window_length_d",
            "lengthOfFertileWindow",
            Integer,
            "d",
            "Length of the fertile window",
        ),
        Column::garmin(
            "predicted_cycle_length_d",
            "predictedCycleLength",
            Integer,
            "d",
            "Predicted length of the cycle",
        ),
        Column::garmin("is_predicted_cycle", "isPredictedCycle", Boolean, "", "Whether the cycle is a prediction"),
        Column::garmin("cycle_length_d", "cycleLength", Integer, "d", "Length of the cycle as logged"),
        Column::garmin(
            "cycle_length_specified",
            "hasSpecifiedCycleLength",
            Boolean,
            "",
            "Whether the participant gave the length of the cycle",
        ),
        Column::garmin(
            "period_length_specified",
            "hasSpecifiedPeriodLength",
            Boolean,
            "",
            "Whether the participant gave the length of the period",
        ),
        Column::garmin(
            "pregnancy_title",
            "pregnancySnapshot.title",
            Text,
            "",
            "Title given to the pregnancy; empty unless names are kept",
        ),
        Column::garmin(
            "pregnancy_start_date",
            "pregnancySnapshot.pregnancyCycleStartDate",
            Date,
            "",
            "First day of the pregnancy's cycle",
        ),
        Column::garmin("original_due_date", "pregnancySnapshot.originalDueDate", Date, "", "Due date as first entered"),
        Column::garmin("due_date", "pregnancySnapshot.dueDate", Date, "", "Due date as last entered"),
        Column::garmin("babies", "pregnancySnapshot.numOfBabies", Text, "", "Number of babies, in Garmin's words"),
        Column::garmin(
            "height_cm",
            "pregnancySnapshot.weightGoalUserInput.heightInCentimeters",
            Number,
            "cm",
            "Height entered with the pregnancy",
        ),
        Column::garmin(
            "weight_g",
            "pregnancySnapshot.weightGoalUserInput.weightInGrams",
            Number,
            "g",
            "Weight entered with the pregnancy",
        ),
    ],
};

const STATE: Column = Column {
    name: "state",
    from: Origin::Participant(Trait::State),
    kind: Text,
    unit: "",
    label: "Where the participant stands",
    values: "active, paused, completed, withdrawn",
};
const PARTICIPANT: Column = known("participant", Head::Participant, Text, "", "Code of the participant");
const RECORD_ID: Column = known("record_id", Head::RecordId, Text, "", "Pseudonym of the record");
const START_UTC: Column = known("start_utc", Head::StartUtc, Instant, "", "Start, UTC");
const UTC_OFFSET: Column =
    known("utc_offset_s", Head::UtcOffset, Integer, "s", "Seconds to add to start_utc for the time the device showed");
const LOCAL_DATE: Column = known("local_date", Head::LocalDate, Date, "", "Date the device showed at the start");
const LOCAL_TIME: Column = known("local_time", Head::LocalTime, Time, "", "Time the device showed at the start");

const fn known(name: &'static str, head: Head, kind: Kind, unit: &'static str, label: &'static str) -> Column {
    Column { name, from: Origin::Head(head), kind, unit, label, values: "" }
}

const fn of(name: &'static str, of: Trait, kind: Kind, unit: &'static str, label: &'static str) -> Column {
    Column { name, from: Origin::Participant(of), kind, unit, label, values: "" }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::dataset::fields;

    #[test]
    fn names_are_short_plain_and_unique() {
        for table in TABLES {
            let mut seen = HashSet::new();
            for column in table.columns {
                let plain = column.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                assert!(plain && column.name.as_bytes()[0].is_ascii_lowercase(), "{}", column.name);
                assert!(column.name.len() <= 26, "{}", column.name);
                assert!(seen.insert(column.name), "{} twice in {}", column.name, table.name);
            }
            assert!(table.key.iter().all(|key| seen.contains(key)), "{}", table.name);
        }
    }

    #[test]
    fn every_column_comes_from_a_known_member() {
        for table in TABLES {
            for summary_type in table.types {
                let members = fields::of(summary_type).expect("a known type");
                for wanted in table.garmin_paths() {
                    let mut path: Vec<Box<str>> = wanted.split('.').map(Into::into).collect();
                    let name = path.pop().expect("a name");
                    assert!(fields::find(members, &path, &name).is_some(), "{wanted}");
                }
            }
        }
    }
}
