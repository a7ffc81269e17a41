//! The table of the participants.

use crate::dataset::column::{
    Column,
    Kind::{self, Date, Instant, Integer, Text},
    Origin, Rows, Table, Trait, When,
};

pub(super) const PARTICIPANTS: Table = Table {
    name: "participants",
    label: "One row for each participant of the study",
    summary_type: "",
    rows: Rows::Participant,
    time: When::Record,
    key: &["participant"],
    columns: &[&[
        of("participant", Trait::Code, Text, "Code of the participant"),
        of("state", Trait::State, Text, "Where the participant stands").values("active, paused, completed, withdrawn"),
        of("window_first_date", Trait::FirstDay, Date, "First day the study collects, by the participant's clock"),
        of("window_last_date", Trait::LastDay, Date, "Last day the study collects, by the participant's clock"),
        of("window_from_utc", Trait::WindowFrom, Instant, "First second the study collects, where it is no day"),
        of("window_to_utc", Trait::WindowTo, Instant, "Second after the last one, where it is no day"),
        of("consent_version", Trait::ConsentVersion, Text, "Version of the consent document"),
        of("consent_date", Trait::ConsentDate, Date, "Day of consent"),
        of("first_record_utc", Trait::FirstRecord, Instant, "Start of the earliest record"),
        of("last_record_utc", Trait::LastRecord, Instant, "Start of the latest record"),
        of("records", Trait::Records, Integer, "Records of all types in this dataset"),
    ]],
};

const fn of(name: &'static str, of: Trait, kind: Kind, label: &'static str) -> Column {
    Column::new(name, Origin::Participant(of), kind, label)
}
