//! The table of activity files. Its rows are read from what is said of a file; the file itself stands in `files/`.
//!
//! Source: Activity API 1.2.3 §7.4.

use super::activity::{ACTIVITY_ID, ACTIVITY_NAME, ACTIVITY_TYPE, DESCRIPTION, DEVICE_NAME, MANUALLY};
use super::{BY_RECORD, IDS, START};
use crate::dataset::column::{Column, FilePart, Kind, Origin, Rows, Table, When};
use crate::dataset::files::ACTIVITY_FILES;

pub(super) const FILES: Table = Table {
    name: "activity_files",
    label: "One row for each file of an activity, in its latest version",
    summary_type: ACTIVITY_FILES,
    rows: Rows::Record(""),
    time: When::Record,
    key: BY_RECORD,
    columns: &[
        IDS,
        START,
        &[
            ACTIVITY_ID,
            Column::text("file_type", "fileType", "Format of the file, as Garmin names it").values("FIT, TCX, GPX"),
            ACTIVITY_TYPE,
            ACTIVITY_NAME,
            DESCRIPTION,
            DEVICE_NAME,
            MANUALLY,
            file(
                "file",
                FilePart::Path,
                Kind::Text,
                "",
                "Path of the file in this dataset; empty unless files are kept",
            ),
            file("file_bytes", FilePart::Bytes, Kind::Integer, "B", "Length of the file; empty unless files are kept"),
            file("sha256", FilePart::Sha256, Kind::Text, "", "SHA-256 of the file; empty unless files are kept"),
        ],
    ],
};

const fn file(name: &'static str, part: FilePart, kind: Kind, unit: &'static str, label: &'static str) -> Column {
    Column { unit, ..Column::new(name, Origin::File(part), kind, label) }
}
