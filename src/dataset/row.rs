//! Rows: the cells of a table, taken from a record's filtered content.
//!
//! Never: a number through a float (its digits are copied); a text that a spreadsheet would run as a formula.

use std::{collections::BTreeMap, io};

use serde_json::value::RawValue;

use crate::dataset::{
    column::{FilePart, Head, Kind, Origin, Table, Trait},
    manifest::FileEntry,
    source::{ParticipantRow, RecordHead},
};
use crate::model::{
    participant::{Bound, ParticipantState},
    time::UnixSeconds,
};

/// The cells of one row, in the table's order; empty = missing.
pub type Cells = Vec<String>;

/// The row of a record: `content` is the JSON object that the filter left for this table, `file` the record's file in
/// the dataset, where it has one.
pub fn of_record(table: &Table, head: &RecordHead<'_>, content: &[u8], file: Option<&FileEntry>) -> io::Result<Cells> {
    let mut cells: Cells = table
        .columns
        .iter()
        .map(|column| match column.from {
            Origin::Head(known) => head_cell(known, head),
            Origin::File(part) => file.map(|file| file_cell(part, file)).unwrap_or_default(),
            Origin::Garmin(_) | Origin::Participant(_) => String::new(),
        })
        .collect();
    let content = std::str::from_utf8(content).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    if !content.is_empty() {
        fill(table, content, "", &mut cells)?;
    }
    Ok(cells)
}

/// The row of a participant.
pub fn of_participant(table: &Table, participant: &ParticipantRow) -> Cells {
    let cell = |column: &crate::dataset::column::Column| match column.from {
        Origin::Participant(wanted) => participant_cell(wanted, participant),
        Origin::Head(_) | Origin::Garmin(_) | Origin::File(_) => String::new(),
    };
    table.columns.iter().map(cell).collect()
}

fn head_cell(wanted: Head, head: &RecordHead<'_>) -> String {
    let local = || head.start.zip(head.offset).map(|(start, offset)| instant(Some(start.plus(i64::from(offset)))));
    match wanted {
        Head::Participant => harmless(head.participant),
        Head::RecordId => harmless(head.record_id),
        Head::StartUtc => instant(head.start),
        Head::UtcOffset => head.offset.map(|offset| offset.to_string()).unwrap_or_default(),
        Head::LocalDate => local().and_then(|time| time.get(..10).map(Into::into)).unwrap_or_default(),
        Head::LocalTime => local().and_then(|time| time.get(11..19).map(Into::into)).unwrap_or_default(),
    }
}

fn file_cell(wanted: FilePart, file: &FileEntry) -> String {
    match wanted {
        FilePart::Path => harmless(&file.path),
        FilePart::Bytes => file.bytes.to_string(),
        FilePart::Sha256 => file.sha256.clone(),
    }
}

fn participant_cell(wanted: Trait, participant: &ParticipantRow) -> String {
    let text = |text: &Option<String>| text.as_deref().map(harmless).unwrap_or_default();
    match wanted {
        Trait::Code => harmless(&participant.code),
        Trait::State => match participant.state {
            ParticipantState::Active => "active",
            ParticipantState::Paused => "paused",
            ParticipantState::Completed => "completed",
            ParticipantState::Withdrawn | ParticipantState::Retained => "withdrawn",
        }
        .to_owned(),
        Trait::WindowFrom => bound(participant.window.from),
        Trait::WindowTo => bound(participant.window.to),
        Trait::ConsentVersion => text(&participant.consent_version),
        Trait::ConsentDate => text(&participant.consent_date),
        Trait::FirstRecord => instant(participant.first_record),
        Trait::LastRecord => instant(participant.last_record),
        Trait::Records => participant.records.to_string(),
    }
}

/// The instant at which a window begins or ends; empty where it does with a day.
fn bound(bound: Option<Bound>) -> String {
    instant(bound.and_then(|bound| match bound {
        Bound::At(time) => Some(time),
        Bound::Day(_) => None,
    }))
}

/// The time as text; empty where it is missing, or no time of the years 0 to 9999 and so a made-up one.
pub(super) fn instant(time: Option<UnixSeconds>) -> String {
    time.map(|time| time.to_string()).filter(|text| is_shaped(text, "0000-00-00T00:00:00Z")).unwrap_or_default()
}

/// Puts the members of the object at `prefix` into the cells of their columns.
fn fill(table: &Table, object: &str, prefix: &str, cells: &mut Cells) -> io::Result<()> {
    // The parser's own words may quote what it read.
    let unreadable = |_| io::Error::new(io::ErrorKind::InvalidData, "the record's members cannot be read");
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(object).map_err(unreadable)?;
    for (name, value) in members {
        let path = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        let value = value.get();
        let mut encloses = false;
        for (column, cell) in table.columns.iter().zip(cells.iter_mut()) {
            let wanted = column.garmin_path();
            if wanted == path {
                *cell = cell_of(column.kind, value);
            } else {
                encloses |= wanted.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.'));
            }
        }
        if encloses && value.starts_with('{') {
            fill(table, value, &path, cells)?;
        }
    }
    Ok(())
}

/// The cell for a JSON value; empty where the value is none of its kind (it stands in `raw/` all the same).
fn cell_of(kind: Kind, value: &str) -> String {
    let text = match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).unwrap_or_default(),
        Some(b'{' | b'[' | b'n') | None => return String::new(),
        Some(_) => value.to_owned(),
    };
    let fits = match kind {
        Kind::Text => return harmless(&text),
        Kind::Instant => return instant(UnixSeconds::of_number(&text)),
        Kind::Integer | Kind::Number => is_number(&text),
        Kind::Boolean => text == "true" || text == "false",
        Kind::Date => is_shaped(&text, "0000-00-00"),
        Kind::Time => is_shaped(&text, "00:00:00"),
    };
    if fits { text } else { String::new() }
}

fn is_number(text: &str) -> bool {
    let starts = text.as_bytes().first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
    let ends = text.as_bytes().last().is_some_and(u8::is_ascii_digit);
    starts && ends && serde_json::from_str::<&RawValue>(text).is_ok()
}

fn is_shaped(text: &str, shape: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted };
    text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
}

/// The text with an apostrophe before what a spreadsheet would take for the start of a formula.
pub(super) fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for number in ["90071992547409931", "0.5975272352046997", "-25200", "1.0E-4", "144.0"] {
            assert_eq!(cell_of(Kind::Number, number), number);
        }
        assert_eq!(cell_of(Kind::Integer, "\"448\""), "448");
    }

    #[test]
    fn value_of_another_kind_is_missing() {
        for (kind, value) in [
            (Kind::Number, "\"=1+1\""),
            (Kind::Number, "true"),
            (Kind::Number, "\"\""),
            (Kind::Integer, "null"),
            (Kind::Integer, "[1]"),
            (Kind::Boolean, "1"),
            (Kind::Date, "\"soon\""),
            (Kind::Instant, "\"soon\""),
            (Kind::Instant, "99999999999999999"),
            (Kind::Text, "{}"),
        ] {
            assert_eq!(cell_of(kind, value), "", "{kind:?} {value}");
        }
    }

    #[test]
    fn instant_is_made_of_whole_seconds() {
        assert_eq!(cell_of(Kind::Instant, "1793509200"), "2026-11-01T05:00:00Z");
        assert_eq!(cell_of(Kind::Instant, "1793509200.75"), "2026-11-01T05:00:00Z");
        assert_eq!(cell_of(Kind::Instant, "1.7935092E9"), "2026-11-01T05:00:00Z");
    }

    #[test]
    fn time_that_no_calendar_has_is_missing() {
        for start in [i64::MIN, -377_705_023_200, 253_402_300_799, i64::MAX] {
            for offset in [i32::MIN, 86_400, i32::MAX] {
                let head = RecordHead {
                    participant: "A-1",
                    record_id: "aaaabbbbccccdddd",
                    received: UnixSeconds(0),
                    revision: 1,
                    current: true,
                    start: Some(UnixSeconds(start)),
                    offset: Some(offset),
                };
                let date = head_cell(Head::LocalDate, &head);
                let time = head_cell(Head::LocalTime, &head);
                assert!(date.is_empty() || is_shaped(&date, "0000-00-00"), "{start} {offset}: {date}");
                assert_eq!(date.is_empty(), time.is_empty(), "{start} {offset}");
            }
            let start = instant(Some(UnixSeconds(start)));
            assert!(start.is_empty() || start.starts_with("9999-12-31T23:59:59"), "{start}");
        }
    }

    #[test]
    fn formula_is_made_harmless() {
        for formula in ["=cmd()", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x"] {
            let value = serde_json::to_string(formula).expect("text");
            assert_eq!(cell_of(Kind::Text, &value), format!("'{formula}"));
        }
        assert_eq!(cell_of(Kind::Text, "\"a=b\""), "a=b");
    }
}
