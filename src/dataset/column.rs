//! Columns: one declaration says a column's name, type, unit, label and where in Garmin's record it comes from.
//!
//! The tables, the codebook and the data package are all made from it, so that a field is added in one line.

/// A table of the dataset: what its rows are, where they come from, and its columns.
#[derive(Debug)]
pub struct Table {
    /// The name: `data/<name>.csv`.
    pub name: &'static str,
    /// One sentence on what a row is.
    pub label: &'static str,
    /// The summary types whose records are its rows; empty for the participants.
    pub types: &'static [&'static str],
    /// The columns that together name a row.
    pub key: &'static [&'static str],
    /// The columns, in order.
    pub columns: &'static [Column],
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// The name, `[a-z][a-z0-9_]{0,25}`.
    pub name: &'static str,
    /// Where its value comes from.
    pub from: Origin,
    /// What its values are.
    pub kind: Kind,
    /// The unit, as a person reads it; empty where there is none.
    pub unit: &'static str,
    /// What it says, in a few words.
    pub label: &'static str,
    /// Its values, where they are few and fixed; empty else.
    pub values: &'static str,
}

/// Where a column's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What is known of every record, not from its content.
    Head(Head),
    /// The member at this path of the content, names joined by dots.
    Garmin(&'static str),
    /// The participant.
    Participant(Trait),
    /// The record's file in the dataset, where the study keeps files.
    File(FilePart),
}

/// What is known of every record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The participant's code.
    Participant,
    /// The record's pseudonym.
    RecordId,
    /// Its start, UTC.
    StartUtc,
    /// Its offset from UTC.
    UtcOffset,
    /// The date the device showed at its start.
    LocalDate,
    /// The time the device showed at its start.
    LocalTime,
}

/// What is known of a record's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilePart {
    /// Where it stands in the dataset.
    Path,
    /// Its length.
    Bytes,
    /// SHA-256 of it.
    Sha256,
}

/// What is known of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trait {
    /// The code.
    Code,
    /// Where the participant stands.
    State,
    /// The start of the window.
    WindowFrom,
    /// The end of the window.
    WindowTo,
    /// The version of the consent.
    ConsentVersion,
    /// The day of the consent.
    ConsentDate,
    /// The start of the earliest record.
    FirstRecord,
    /// The start of the latest record.
    LastRecord,
    /// How many records there are.
    Records,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text; made harmless where a spreadsheet would take it for a formula.
    Text,
    /// A number without a fraction, as Garmin wrote it.
    Integer,
    /// A number, as Garmin wrote it.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `2026-11-01`.
    Date,
    /// `05:00:00`.
    Time,
    /// `2026-11-01T05:00:00Z`; where it comes from Garmin, from whole seconds since 1970.
    Instant,
}

impl Kind {
    /// The type's name in the codebook and in a Frictionless schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Time => "time",
            Self::Instant => "datetime",
        }
    }
}

impl Column {
    /// A column of a member of Garmin's record.
    pub const fn garmin(
        name: &'static str,
        path: &'static str,
        kind: Kind,
        unit: &'static str,
        label: &'static str,
    ) -> Self {
        Self { name, from: Origin::Garmin(path), kind, unit, label, values: "" }
    }

    /// The path of the member it comes from; empty where it comes from none.
    pub const fn garmin_path(&self) -> &'static str {
        match self.from {
            Origin::Garmin(path) => path,
            Origin::Head(_) | Origin::Participant(_) | Origin::File(_) => "",
        }
    }
}

impl Table {
    /// The paths of the members that its columns come from.
    pub fn garmin_paths(&self) -> Vec<&'static str> {
        self.columns.iter().map(Column::garmin_path).filter(|path| !path.is_empty()).collect()
    }

    /// Where its file stands in the dataset.
    pub fn path(&self) -> String {
        format!("data/{}.csv", self.name)
    }
}
