//! The tables: every column of the dataset, declared once.
//!
//! Sources: Activity API 1.2.3 §7, Women's Health API 1.0.4 §7.1, Health API summaries as public integrations receive
//! them. A column that a study's rules drop stays, empty, so that every dataset has the same columns. A type that has
//! both single values and a series of them has a table of each.

mod activity;
mod activity_files;
mod cycle;
mod details;
mod health;
mod participants;

use crate::dataset::column::{Column, Head, Kind, Origin, Table};

/// The tables in the order they are written; the first has the participants.
pub const TABLES: &[Table] = &[
    participants::PARTICIPANTS,
    activity::ACTIVITIES,
    details::DETAILS,
    details::SAMPLES,
    details::LAPS,
    activity_files::FILES,
    activity::MANUAL,
    activity::MOVE_IQ,
    cycle::CYCLE,
    cycle::GLUCOSE,
    health::day::DAILIES,
    health::day::HEART_RATES,
    health::day::EPOCHS,
    health::night::SLEEPS,
    health::night::STAGES,
    health::night::NAPS,
    health::night::VALUES,
    health::strain::STRESS,
    health::strain::VALUES,
    health::strain::EVENTS,
    health::night::HRV,
    health::night::HRV_VALUES,
    health::body::BLOOD_PRESSURE,
    health::body::BODY_COMPS,
    health::body::USER_METRICS,
    health::vitals::SPO2,
    health::vitals::SPO2_VALUES,
    health::vitals::RESPIRATION,
    health::vitals::RESPIRATION_VALUES,
    health::vitals::SNAPSHOT,
    health::vitals::SNAPSHOT_ITEMS,
    health::vitals::SNAPSHOT_VALUES,
    health::night::SKIN_TEMP,
];

/// The table of this name.
pub fn named(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

/// What every table of records begins with.
const IDS: &[Column] = &[
    head("participant", Head::Participant, Kind::Text, "", "Code of the participant"),
    head("record_id", Head::RecordId, Kind::Text, "", "Pseudonym of the record"),
];
/// The time of what lasts.
const START: &[Column] = &[
    head("start_utc", Head::TimeUtc, Kind::Instant, "", "Start, UTC"),
    head(
        "utc_offset_s",
        Head::UtcOffset,
        Kind::Integer,
        "s",
        "Seconds to add to start_utc for the time the device showed",
    ),
    head("local_date", Head::LocalDate, Kind::Date, "", "Date the device showed at the start"),
    head("local_time", Head::LocalTime, Kind::Time, "", "Time the device showed at the start"),
];
/// The time of what is measured at once.
const TIME: &[Column] = &[
    head("time_utc", Head::TimeUtc, Kind::Instant, "", "Time of the measurement, UTC"),
    head(
        "utc_offset_s",
        Head::UtcOffset,
        Kind::Integer,
        "s",
        "Seconds to add to time_utc for the time the device showed",
    ),
    head("local_date", Head::LocalDate, Kind::Date, "", "Date the device showed then"),
    head("local_time", Head::LocalTime, Kind::Time, "", "Time the device showed then"),
];
/// What the rows of a map begin with, and what names them.
const OFFSET: &[Column] =
    &[head("offset_s", Head::Offset, Kind::Integer, "s", "Seconds from the record's start to this value")];
const BY_RECORD: &[&str] = &["participant", "record_id"];
const BY_OFFSET: &[&str] = &["participant", "record_id", "offset_s"];
/// What only the rows of `--revisions` have, behind the first two; part of the key there.
pub const VERSION: &[Column] = &[
    head("revision", Head::Revision, Kind::Integer, "", "Counts the versions of the record, from 1"),
    head("received_utc", Head::ReceivedUtc, Kind::Instant, "", "When this version came in, UTC"),
];

const CALENDAR_DATE: Column = Column::date("calendar_date", "calendarDate", "Day that Garmin counts the record in");
const DURATION: Column = Column::int("duration_s", "durationInSeconds", "s", "Duration");

const fn head(name: &'static str, head: Head, kind: Kind, unit: &'static str, label: &'static str) -> Column {
    Column { unit, ..Column::new(name, Origin::Head(head), kind, label) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::dataset::column::{Part, Rows};
    use crate::model::summary::KNOWN;

    #[test]
    fn names_are_short_plain_and_unique() {
        let mut tables = HashSet::new();
        for table in TABLES {
            assert!(tables.insert(table.name), "{} twice", table.name);
            let mut seen = HashSet::new();
            for column in table.columns().chain(VERSION) {
                let plain = column.name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
                assert!(plain && column.name.as_bytes()[0].is_ascii_lowercase(), "{}", column.name);
                assert!(column.name.len() <= 26, "{}", column.name);
                assert!(seen.insert(column.name), "{} twice in {}", column.name, table.name);
                assert!(!column.label.is_empty(), "{}", column.name);
            }
            assert!(table.key.iter().all(|key| seen.contains(key)), "{}", table.name);
        }
    }

    #[test]
    fn tables_of_records_begin_with_participant_and_record_and_are_named_by_them() {
        for table in TABLES.iter().filter(|table| table.rows != Rows::Participant) {
            let first: Vec<_> = table.columns().take(2).map(|column| column.name).collect();
            assert_eq!(first, BY_RECORD, "{}", table.name);
            assert_eq!(&table.key[..2], BY_RECORD, "{}", table.name);
            let counted = table.key.len() > 2;
            assert_eq!(counted, !matches!(table.rows, Rows::Record(_)), "{}", table.name);
        }
    }

    #[test]
    fn every_known_type_has_a_table() {
        for known in KNOWN {
            assert!(TABLES.iter().any(|table| table.summary_type == known.name), "{}", known.name);
        }
    }

    #[test]
    fn column_without_garmins_negative_numbers_has_one_beside_it_that_says_why() {
        for table in TABLES {
            for column in table.columns().filter(|column| column.part == Part::Measured) {
                let is_its = |other: &Column| other.part == Part::Status && other.from == column.from;
                assert!(table.columns().any(is_its), "{}.{}", table.name, column.name);
            }
        }
    }
}
