//! Columns: one declaration says a column's name, type, unit, label and where in Garmin's record it comes from.
//!
//! The tables, the codebook, the data package and the list of known members are all made from it, so that a field is
//! added in one line.

/// A table of the dataset: what its rows are, where they come from, and its columns.
#[derive(Debug)]
pub struct Table {
    /// The name: `data/<name>.csv`.
    pub name: &'static str,
    /// One sentence on what a row is.
    pub label: &'static str,
    /// The summary type it is made from; empty for the participants.
    pub summary_type: &'static str,
    /// What of a record is a row.
    pub rows: Rows,
    /// What the time of a row is.
    pub time: When,
    /// The columns that together name a row.
    pub key: &'static [&'static str],
    /// The columns, in groups, in order.
    pub columns: &'static [&'static [Column]],
}

/// What of a record is a row. Paths are names joined by dots, arrays adding nothing; `|` stands between places of
/// which any may hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// A participant.
    Participant,
    /// The record; [`Origin::Garmin`] paths begin in the object at this path, mostly its top.
    Record(&'static str),
    /// Each object of the array at this path, in its order.
    Elements(&'static str),
    /// Each object of the arrays that are these members of the object at this path, by time.
    Spans(&'static str, &'static [&'static str]),
    /// Each offset that a map at this path, or in an object of an array at this path, has a value for.
    Offsets(&'static str),
}

/// What the time of a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The record's.
    Record,
    /// The record's start and the row's offset.
    Offset,
    /// These members of the row's object: seconds since 1970, and the seconds to add for the time the device showed;
    /// where there is no such member, the record's offset counts.
    Members(&'static str, &'static str),
}

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The name, `[a-z][a-z0-9_]{0,25}`.
    pub name: &'static str,
    /// Where its value comes from.
    pub from: Origin,
    /// What its values are.
    pub kind: Kind,
    /// Which of the values it shows.
    pub part: Part,
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
    /// What is known of every row, not from the record's content.
    Head(Head),
    /// The member at this path below the row's object.
    Garmin(&'static str),
    /// The member at this path below the record's top.
    Record(&'static str),
    /// The value at the row's offset in the map at this path below the place of the table's rows.
    Map(&'static str),
    /// The participant.
    Participant(Trait),
    /// The record's file in the dataset, where the study keeps files.
    File(FilePart),
}

/// What is known of every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The participant's code.
    Participant,
    /// The record's pseudonym.
    RecordId,
    /// Which of the record's versions it is from, from 1.
    Revision,
    /// When that version came in.
    ReceivedUtc,
    /// The row's time, UTC.
    TimeUtc,
    /// Its offset from UTC.
    UtcOffset,
    /// The date the device showed then.
    LocalDate,
    /// The time the device showed then.
    LocalTime,
    /// Counts the rows of a record (of offsets: the objects that hold the maps), from 1.
    Number,
    /// Seconds since the record's start.
    Offset,
    /// The name of the member that a span stands under.
    Member,
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
    /// The first day of the window, where it begins with one.
    FirstDay,
    /// The last day of the window, where it ends with one.
    LastDay,
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
    /// A number without a fraction.
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

/// Which values of a member a column shows. Garmin gives a negative number where it has no measurement, and the number
/// says why; a column of such a member has one of the reasons beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All.
    Whole,
    /// Those from 0 on.
    Measured,
    /// Why there is none, by [`STATUSES`].
    Status,
}

/// Garmin's negative numbers, and what they say.
pub const STATUSES: [(i64, &str); 5] =
    [(-1, "unmeasurable"), (-2, "motion"), (-3, "not_enough_data"), (-4, "recovering"), (-5, "unidentified")];
/// What is said of every other negative number.
pub const OTHER_STATUS: &str = "other";
const STATUS_VALUES: &str = "unmeasurable (Garmin's -1), motion (-2), not_enough_data (-3), recovering (-4), \
                             unidentified (-5), other";

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
    /// A column without a unit.
    pub const fn new(name: &'static str, from: Origin, kind: Kind, label: &'static str) -> Self {
        Self { name, from, kind, part: Part::Whole, unit: "", label, values: "" }
    }

    /// A number without a fraction at this path.
    pub const fn int(name: &'static str, path: &'static str, unit: &'static str, label: &'static str) -> Self {
        Self { unit, ..Self::new(name, Origin::Garmin(path), Kind::Integer, label) }
    }

    /// A number at this path.
    pub const fn num(name: &'static str, path: &'static str, unit: &'static str, label: &'static str) -> Self {
        Self { unit, ..Self::new(name, Origin::Garmin(path), Kind::Number, label) }
    }

    /// A text at this path.
    pub const fn text(name: &'static str, path: &'static str, label: &'static str) -> Self {
        Self::new(name, Origin::Garmin(path), Kind::Text, label)
    }

    /// A yes or no at this path.
    pub const fn flag(name: &'static str, path: &'static str, label: &'static str) -> Self {
        Self::new(name, Origin::Garmin(path), Kind::Boolean, label)
    }

    /// A date at this path.
    pub const fn date(name: &'static str, path: &'static str, label: &'static str) -> Self {
        Self::new(name, Origin::Garmin(path), Kind::Date, label)
    }

    /// Seconds since 1970 at this path, as a time.
    pub const fn instant(name: &'static str, path: &'static str, label: &'static str) -> Self {
        Self::new(name, Origin::Garmin(path), Kind::Instant, label)
    }

    /// The column, with its path one of a map.
    pub const fn in_map(self) -> Self {
        match self.from {
            Origin::Garmin(path) => Self { from: Origin::Map(path), ..self },
            Origin::Head(_) | Origin::Record(_) | Origin::Map(_) | Origin::Participant(_) | Origin::File(_) => self,
        }
    }

    /// The column, with its path from the record's top.
    pub const fn of_record(self) -> Self {
        match self.from {
            Origin::Garmin(path) => Self { from: Origin::Record(path), ..self },
            Origin::Head(_) | Origin::Record(_) | Origin::Map(_) | Origin::Participant(_) | Origin::File(_) => self,
        }
    }

    /// The column of the values from 0 on.
    pub const fn measured(self) -> Self {
        Self { part: Part::Measured, ..self }
    }

    /// The column that says of another one why it has no value.
    pub const fn status_of(self, name: &'static str, label: &'static str) -> Self {
        Self { name, kind: Kind::Text, part: Part::Status, unit: "", label, values: STATUS_VALUES, ..self }
    }

    /// The column, with its values named.
    pub const fn values(self, values: &'static str) -> Self {
        Self { values, ..self }
    }
}

impl Table {
    /// The columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &'static Column> + use<> {
        self.columns.iter().flat_map(|group| group.iter())
    }

    /// The places that its rows come from; the top is the empty path.
    pub fn places(&self) -> Vec<String> {
        match self.rows {
            Rows::Participant => Vec::new(),
            Rows::Record(path) | Rows::Elements(path) | Rows::Offsets(path) => {
                path.split('|').map(str::to_owned).collect()
            }
            Rows::Spans(path, members) => members.iter().map(|member| join(path, member)).collect(),
        }
    }

    /// The paths of the members that a column comes from, from the record's top; none where it comes from none.
    pub fn garmin_paths(&self, column: &Column) -> Vec<String> {
        match column.from {
            Origin::Garmin(path) | Origin::Map(path) => self.below(path),
            Origin::Record(path) => path.split('|').map(str::to_owned).collect(),
            Origin::Head(_) | Origin::Participant(_) | Origin::File(_) => Vec::new(),
        }
    }

    fn below(&self, paths: &str) -> Vec<String> {
        self.places().iter().flat_map(|place| paths.split('|').map(|path| join(place, path))).collect()
    }

    /// The paths of the members that the time of a row comes from, and then those that its offset comes from.
    pub fn time_paths(&self) -> [Vec<String>; 2] {
        let When::Members(time, offset) = self.time else { return [Vec::new(), Vec::new()] };
        [time, offset].map(|path| if path.is_empty() { Vec::new() } else { self.below(path) })
    }
}

fn join(place: &str, path: &str) -> String {
    if place.is_empty() { path.to_owned() } else { format!("{place}.{path}") }
}
