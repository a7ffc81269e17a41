//! Rows: the cells of one row of a table, side by side in one piece of memory.

use std::ops::Range;

use crate::dataset::{
    cell::{push_date, push_instant, push_integer, push_time},
    column::{Column, FilePart, Head, Origin, Rows, Table, Trait},
    format::Format,
    manifest::FileEntry,
    path::folder_of,
    source::{ParticipantRow, RecordHead},
    tables::VERSION,
};
use crate::model::{
    participant::{Bound, ParticipantState},
    time::UnixSeconds,
};

/// Cells that were set over and over again are put together anew beyond this many bytes.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// A table as one dataset has it.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The table.
    pub table: &'static Table,
    /// Its columns, those of `--revisions` among them where they are asked for.
    pub columns: Vec<Column>,
    /// The names of the columns that name a row.
    pub key: Vec<&'static str>,
}

/// Whether the versions of a record beside the current one are rows, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// The current one alone.
    #[default]
    Current,
    /// All, each with its number and its time.
    All,
}

impl Layout {
    /// The layout of a table.
    pub fn new(table: &'static Table, versions: Versions) -> Self {
        let mut columns: Vec<Column> = table.columns().copied().collect();
        let mut key = table.key.to_vec();
        if versions == Versions::All && table.rows != Rows::Participant {
            columns.splice(2..2, VERSION.iter().copied());
            key.splice(2..2, VERSION.iter().map(|column| column.name));
        }
        Self { table, columns, key }
    }

    /// Where its file stands in the dataset.
    pub fn path(&self, format: Format) -> String {
        format!("data/{}.{}", self.table.name, format.name())
    }

    /// Where the file of one participant's rows stands, where each has one; `None` for what is no code.
    pub fn part_path(&self, code: &str, format: Format) -> Option<String> {
        Some(format!("data/{}/{}.{}", self.table.name, folder_of(code)?, format.name()))
    }

    /// Its files among those of the dataset.
    pub fn files<'a>(&self, files: &'a [FileEntry]) -> impl Iterator<Item = &'a FileEntry> + use<'a> {
        let (file, folder) = (format!("data/{}.", self.table.name), format!("data/{}/", self.table.name));
        files.iter().filter(move |entry| entry.path.starts_with(&file) || entry.path.starts_with(&folder))
    }
}

/// The cells of a row, by column; empty = missing.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    text: Vec<u8>,
    places: Vec<Range<u32>>,
}

impl Cells {
    /// So many empty cells.
    pub fn new(columns: usize) -> Self {
        Self { text: Vec::new(), places: vec![0..0; columns] }
    }

    /// Empties all cells.
    pub fn clear(&mut self) {
        self.text.clear();
        self.places.fill(0..0);
    }

    /// The text of a cell.
    pub fn get(&self, column: usize) -> &[u8] {
        let place = &self.places[column];
        &self.text[place.start as usize..place.end as usize]
    }

    /// All cells, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.places.len()).map(|column| self.get(column))
    }

    /// Sets a cell to what `write` appends.
    pub fn set(&mut self, column: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if self.text.len() > TEXT_BYTES_MAX {
            self.compact();
        }
        let start = self.text.len();
        write(&mut self.text);
        let place = |length: usize| u32::try_from(length).expect("cells are far smaller");
        self.places[column] = place(start)..place(self.text.len());
    }

    fn compact(&mut self) {
        let mut text = Vec::new();
        for place in &mut self.places {
            let start = u32::try_from(text.len()).expect("cells are far smaller");
            text.extend_from_slice(&self.text[place.start as usize..place.end as usize]);
            *place = start..start + (place.end - place.start);
        }
        self.text = text;
    }
}

/// What is known of a record without reading it.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Its head.
    pub head: &'a RecordHead<'a>,
    /// Its file in the dataset, where it has one.
    pub file: Option<&'a FileEntry>,
}

/// What is known of a row beside its members.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowHead<'a> {
    /// Its time, UTC.
    pub time: Option<UnixSeconds>,
    /// Seconds to add to it for the time the device showed.
    pub offset: Option<i32>,
    /// Its number within the record.
    pub number: i64,
    /// Seconds since the record's start.
    pub since_start: i64,
    /// The member it stands under.
    pub member: &'a str,
}

/// Sets the cells that do not come from the record's content.
pub fn set_known(layout: &Layout, known: Known<'_>, row: RowHead<'_>, cells: &mut Cells) {
    for (number, column) in layout.columns.iter().enumerate() {
        match column.from {
            Origin::Head(head) => cells.set(number, |output| push_head(head, known.head, row, output)),
            Origin::File(part) => {
                if let Some(file) = known.file {
                    cells.set(number, |output| push_file(part, file, output));
                }
            }
            Origin::Garmin(_) | Origin::Record(_) | Origin::Map(_) | Origin::Participant(_) => {}
        }
    }
}

/// Sets the cells of a participant.
pub fn set_participant(layout: &Layout, participant: &ParticipantRow, cells: &mut Cells) {
    for (number, column) in layout.columns.iter().enumerate() {
        if let Origin::Participant(wanted) = column.from {
            cells.set(number, |output| push_trait(wanted, participant, output));
        }
    }
}

fn push_head(head: Head, record: &RecordHead<'_>, row: RowHead<'_>, output: &mut Vec<u8>) {
    let local = || row.time.zip(row.offset).map(|(time, offset)| time.plus(i64::from(offset)));
    match head {
        Head::Participant => output.extend_from_slice(record.participant.as_bytes()),
        Head::RecordId => output.extend_from_slice(record.record_id.as_bytes()),
        Head::Revision => push_integer(i64::from(record.revision), output),
        Head::ReceivedUtc => push_instant(Some(record.received), output),
        Head::TimeUtc => push_instant(row.time, output),
        Head::UtcOffset => {
            if let Some(offset) = row.offset {
                push_integer(i64::from(offset), output);
            }
        }
        Head::LocalDate => push_date(local(), output),
        Head::LocalTime => push_time(local(), output),
        Head::Number => push_integer(row.number, output),
        Head::Offset => push_integer(row.since_start, output),
        Head::Member => output.extend_from_slice(row.member.as_bytes()),
    }
}

fn push_file(part: FilePart, file: &FileEntry, output: &mut Vec<u8>) {
    match part {
        FilePart::Path => output.extend_from_slice(file.path.as_bytes()),
        FilePart::Bytes => push_integer(i64::try_from(file.bytes).unwrap_or(i64::MAX), output),
        FilePart::Sha256 => output.extend_from_slice(file.sha256.as_bytes()),
    }
}

fn push_trait(wanted: Trait, participant: &ParticipantRow, output: &mut Vec<u8>) {
    let mut text = |text: Option<&str>| output.extend_from_slice(text.unwrap_or_default().as_bytes());
    match wanted {
        Trait::Code => text(Some(&participant.code)),
        Trait::State => text(Some(match participant.state {
            ParticipantState::Active => "active",
            ParticipantState::Paused => "paused",
            ParticipantState::Completed => "completed",
            ParticipantState::Withdrawn | ParticipantState::Retained => "withdrawn",
        })),
        Trait::WindowFrom => push_instant(instant(participant.window.from), output),
        Trait::WindowTo => push_instant(instant(participant.window.to), output),
        Trait::FirstDay if is_day(participant.window.from) => text(participant.window.first().as_deref()),
        Trait::LastDay if is_day(participant.window.to) => text(participant.window.last().as_deref()),
        Trait::FirstDay | Trait::LastDay => {}
        Trait::ConsentVersion => text(participant.consent_version.as_deref()),
        Trait::ConsentDate => text(participant.consent_date.as_deref()),
        Trait::FirstRecord => push_instant(participant.first_record, output),
        Trait::LastRecord => push_instant(participant.last_record, output),
        Trait::Records => push_integer(i64::try_from(participant.records).unwrap_or(i64::MAX), output),
    }
}

/// The instant at which a window begins or ends; none where it does with a day.
fn instant(bound: Option<Bound>) -> Option<UnixSeconds> {
    bound.filter(|_| !is_day(bound)).map(Bound::in_utc)
}

fn is_day(bound: Option<Bound>) -> bool {
    matches!(bound, Some(Bound::Day(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cell_that_is_set_again_has_its_last_text_however_often_that_is() {
        let mut cells = Cells::new(2);
        cells.set(1, |output| output.extend_from_slice(b"kept"));
        for number in 0..200_000 {
            cells.set(0, |output| push_integer(1_000_000_000_000_000_000 + number, output));
        }
        assert_eq!((cells.get(0), cells.get(1)), (b"1000000000000199999".as_slice(), b"kept".as_slice()));
        assert!(cells.text.len() < 2 * TEXT_BYTES_MAX);
        cells.clear();
        assert!(cells.iter().all(<[u8]>::is_empty));
    }

    #[test]
    fn version_is_a_part_of_the_key_where_all_versions_are_rows() {
        let table = crate::dataset::tables::named("activity_samples").expect("a table");
        let layout = Layout::new(table, Versions::All);
        assert_eq!(layout.key, ["participant", "record_id", "revision", "received_utc", "sample"]);
        let names: Vec<_> = layout.columns.iter().take(4).map(|column| column.name).collect();
        assert_eq!(names, layout.key[..4]);
        assert_eq!(Layout::new(table, Versions::Current).key, table.key);
    }
}
