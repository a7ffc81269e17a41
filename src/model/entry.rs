//! What the splitter finds of one item of a notification: where it stands, whose it is, its key fields.

use std::{fmt, ops::Range, sync::Arc};

/// A member of an item that the gateway reads at the splitter: its text, decoded.
///
/// Looked for at the top of the item, and (time and duration only) in its `summary` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Field {
    /// `summaryId`.
    SummaryId = 1,
    /// `activityId`: number or string, as text, never through a float.
    ActivityId,
    /// `startTimeInSeconds` (may be a float for `moveIQActivities`).
    StartTime,
    /// `startTimeOffsetInSeconds`, `offsetInSeconds`, `offsetStartTimeInSeconds` or `measurementTimeOffsetInSeconds`.
    Offset,
    /// `measurementTimeInSeconds`.
    MeasurementTime,
    /// `durationInSeconds`.
    Duration,
    /// `lastUpdatedTimeInSeconds`.
    LastUpdated,
    /// `calendarDate`.
    CalendarDate,
    /// `periodStartDate`.
    PeriodStartDate,
    /// `callbackURL`: a bearer secret.
    CallbackUrl,
    /// `uploadStartTimeInSeconds`.
    UploadStart,
    /// `uploadEndTimeInSeconds`.
    UploadEnd,
    /// `fileType`.
    FileType,
    /// `permissions`: the array's JSON text.
    Permissions,
    /// `changeTimeInSeconds`.
    ChangeTime,
    /// The length of a pulled file in bytes: no member of Garmin's, found by whoever pulled it.
    FileBytes,
}

impl Field {
    /// Every field with the member names it stands for.
    pub const NAMES: &'static [(&'static str, Field)] = &[
        ("summaryId", Field::SummaryId),
        ("activityId", Field::ActivityId),
        ("startTimeInSeconds", Field::StartTime),
        ("startTimeOffsetInSeconds", Field::Offset),
        ("offsetInSeconds", Field::Offset),
        ("offsetStartTimeInSeconds", Field::Offset),
        ("measurementTimeOffsetInSeconds", Field::Offset),
        ("measurementTimeInSeconds", Field::MeasurementTime),
        ("durationInSeconds", Field::Duration),
        ("lastUpdatedTimeInSeconds", Field::LastUpdated),
        ("calendarDate", Field::CalendarDate),
        ("periodStartDate", Field::PeriodStartDate),
        ("callbackURL", Field::CallbackUrl),
        ("uploadStartTimeInSeconds", Field::UploadStart),
        ("uploadEndTimeInSeconds", Field::UploadEnd),
        ("fileType", Field::FileType),
        ("permissions", Field::Permissions),
        ("changeTimeInSeconds", Field::ChangeTime),
    ];

    /// The field of this number.
    pub fn numbered(number: u8) -> Option<Self> {
        let all = Self::NAMES.iter().map(|(_, field)| *field).chain([Self::FileBytes]);
        all.into_iter().find(|field| *field as u8 == number)
    }

    /// The longest text that is kept of it, in bytes of JSON text; a longer one makes the item unreadable.
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::CallbackUrl | Self::Permissions => 4096,
            Self::SummaryId
            | Self::ActivityId
            | Self::StartTime
            | Self::Offset
            | Self::MeasurementTime
            | Self::Duration
            | Self::LastUpdated
            | Self::CalendarDate
            | Self::PeriodStartDate
            | Self::UploadStart
            | Self::UploadEnd
            | Self::FileType
            | Self::FileBytes
            | Self::ChangeTime => 512,
        }
    }
}

/// What stands at an entry's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Shape {
    /// An object without `callbackURL`.
    Push = 1,
    /// An object with `callbackURL`.
    Ping,
    /// An item of a member's array that is no object.
    NotAnObject,
    /// A member of the notification whose value is no array; the span is the value.
    NotAnArray,
    /// A pulled activity file: the span is the item that announced it, [`Field::FileBytes`] the length of the file.
    /// Its bytes follow the JSON text of the body, at [`Entry::file`].
    File,
    /// The same, where the content is not what the item's `fileType` says.
    UnexpectedFile,
}

/// What closes the JSON text of a body with a file, between the item and the file.
pub const BEFORE_FILE: &str = "]}";

/// Whose an item is.
#[derive(Clone, PartialEq, Eq)]
pub enum Whose {
    /// `userId`, its escapes decoded.
    User(Box<str>),
    /// No `userId`.
    Nobody,
    /// `userId` twice, no string, empty, or too long; or another key field too long or twice.
    Unreadable,
}

/// One item (or malformed member) of a notification.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key it stands under, decoded and cut to 128 bytes.
    pub member: Arc<str>,
    /// Its bytes in the decoded body.
    pub span: Range<u64>,
    /// What stands there.
    pub shape: Shape,
    /// Whose it is.
    pub whose: Whose,
    /// The key fields found, each at most once, in document order; strings decoded, numbers as written.
    pub fields: Vec<(Field, Box<str>)>,
}

impl Entry {
    /// The text of a field, where the item has it.
    pub fn field(&self, wanted: Field) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| &**text)
    }

    /// Where the bytes of a pulled file stand in the body; `None` for an entry without a file.
    pub fn file(&self) -> Option<Range<u64>> {
        let length: u64 = match self.shape {
            Shape::File | Shape::UnexpectedFile => self.field(Field::FileBytes)?.parse().ok()?,
            Shape::Push | Shape::Ping | Shape::NotAnObject | Shape::NotAnArray => return None,
        };
        let start = self.span.end + BEFORE_FILE.len() as u64;
        Some(start..start.checked_add(length)?)
    }
}

/// Fields hold personal data: only the outline is shown.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("span", &self.span).field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl fmt::Debug for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User(_) => "User(…)",
            Self::Nobody => "Nobody",
            Self::Unreadable => "Unreadable",
        })
    }
}
