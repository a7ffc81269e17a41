//! The table of activity files. Its rows are read from what is said of a file; the file itself stands in `files/`.
//!
//! Source: Activity API 1.2.3, the notification of activity files.

use super::{LOCAL_DATE, LOCAL_TIME, PARTICIPANT, RECORD_ID, START_UTC, UTC_OFFSET};
use crate::dataset::column::{
    Column, FilePart,
    Kind::{self, Boolean, Integer, Text},
    Origin, Table,
};
use crate::dataset::files::ACTIVITY_FILES;

pub(super) const TABLE: Table = Table {
    name: "activity_files",
    label: "One row for each file of an activity, in its latest version",
    types: &[ACTIVITY_FILES],
    key: &["participant", "record_id"],
    columns: &[
        PARTICIPANT,
        RECORD_ID,
        START_UTC,
        UTC_OFFSET,
        LOCAL_DATE,
        LOCAL_TIME,
        Column::garmin("activity_id", "activity_id", Text, "", "Pseudonym of the activity, shared by its records"),
        Column {
            values: "FIT, TCX, GPX",
            ..Column::garmin("file_type", "fileType", Text, "", "Format of the file, as Garmin names it")
        },
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
        file("file", FilePart::Path, Text, "", "Path of the file in this dataset; empty unless files are kept"),
        file("file_bytes", FilePart::Bytes, Integer, "B", "Length of the file; empty unless files are kept"),
        file("sha256", FilePart::Sha256, Text, "", "SHA-256 of the file, hexadecimal; empty unless files are kept"),
    ],
};

const fn file(name: &'static str, part: FilePart, kind: Kind, unit: &'static str, label: &'static str) -> Column {
    Column { name, from: Origin::File(part), kind, unit, label, values: "" }
}
