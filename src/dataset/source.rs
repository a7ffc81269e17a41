//! What a dataset is made from: the store, as the format sees it.

use std::io;

use crate::model::{
    participant::{ParticipantState, Window},
    shift::Shift,
    summary::SummaryType,
    time::UnixSeconds,
};

/// A participant as a dataset shows it: no identifier but the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantRow {
    /// The code.
    pub code: String,
    /// Where the participant stands.
    pub state: ParticipantState,
    /// The time the study collects for.
    pub window: Window,
    /// The version of the consent document.
    pub consent_version: Option<String>,
    /// The day of consent, `2026-11-01`.
    pub consent_date: Option<String>,
    /// The start of the earliest record, where there is one that has a time.
    pub first_record: Option<UnixSeconds>,
    /// The start of the latest record.
    pub last_record: Option<UnixSeconds>,
    /// How many records the dataset holds.
    pub records: u64,
    /// How far the participant's dates are to be moved, where the study's rules want it; no dataset shows it.
    pub shift: Option<Shift>,
}

/// What is known of a record without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead<'a> {
    /// The participant's code.
    pub participant: &'a str,
    /// The record's pseudonym.
    pub record_id: &'a str,
    /// When it came in.
    pub received: UnixSeconds,
    /// Counts the record's versions, from 1.
    pub revision: u32,
    /// Whether it is the version that counts; of each record one is.
    pub current: bool,
    /// When what it records began, UTC; `None` for types without a time.
    pub start: Option<UnixSeconds>,
    /// Seconds to add to `start` for the time the device showed.
    pub offset: Option<i32>,
    /// As in [`ParticipantRow`].
    pub shift: Option<Shift>,
}

/// What belongs to a content and does not stand in it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// Members that are kept apart for what they say of a person: path and name joined by dots, JSON text of the value.
    pub names: Vec<(String, String)>,
    /// How far its times are to be moved.
    pub shift: Option<Shift>,
}

impl RecordHead<'_> {
    /// The error, naming the record by its pseudonym. It ends in the log, where no code may stand.
    pub fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), format!("record {}: {error}", self.record_id))
    }
}

/// The content of one record: its data part, a JSON object; for an activity file, the bytes of the file behind it (see
/// [`files`](crate::dataset::files)).
pub trait Content {
    /// Hands over the text piece by piece, in order, and gives the same each time; ends early with the error that `piece`
    /// returns.
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()>;

    /// What belongs to it beside the text.
    fn beside(&self) -> Beside {
        Beside::default()
    }
}

/// A record held in memory.
impl Content for &[u8] {
    fn read(&mut self, piece: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        piece(self)
    }
}

/// Takes the records of a type one after the other; may leave a content unread.
pub type Visitor<'a> = dyn FnMut(&RecordHead<'_>, &mut dyn Content) -> io::Result<()> + 'a;

/// The same for records of several types.
pub type TypesVisitor<'a> = dyn FnMut(&SummaryType, &RecordHead<'_>, &mut dyn Content) -> io::Result<()> + 'a;

/// What became of something since the export that a dataset compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It came.
    Added,
    /// It stands there with another content, or by other rules.
    Revised,
    /// It went: a window, the types of the study or a code changed, or another record took its place.
    Removed,
    /// It went with the participant, who has left.
    Withdrawn,
}

/// One change since the export that a dataset compares with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The participant's code, in the earlier export where it went.
    pub participant: &'a str,
    /// The record; the participant with everything where there is none.
    pub record: Option<ChangedRecord<'a>>,
    /// What became of it.
    pub what: What,
    /// When it came in; of what went, when the export was made that found it gone. `None` where that would tell a shift.
    pub when: Option<UnixSeconds>,
    /// As in [`ParticipantRow`]; none for what went.
    pub shift: Option<Shift>,
}

/// A record that came, changed or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRecord<'a> {
    /// Its type.
    pub summary_type: &'a SummaryType,
    /// Its pseudonym.
    pub record_id: &'a str,
    /// Which of its versions, from 1.
    pub revision: u32,
}

/// Takes changes one after the other.
pub type ChangeVisitor<'a> = dyn FnMut(&Change<'_>) -> io::Result<()> + 'a;

/// The participants and records of one dataset. Each method may be called several times (a file of the dataset is one
/// pass) and gives the same each time.
///
/// What is given is what the dataset is to hold: only records inside the participant's window, each the current
/// revision. De-identification is not its business.
pub trait Source {
    /// The participants, by code.
    fn participants(&mut self) -> io::Result<Vec<ParticipantRow>>;

    /// The summary types there are records of, known and unknown, in any order.
    fn types(&mut self) -> io::Result<Vec<SummaryType>>;

    /// Visits every record of a type, by participant's code, then start (of one without, its arrival), then `record_id`; ends early
    /// with the error that `visit` returns.
    fn records(&mut self, summary_type: &SummaryType, visit: &mut Visitor<'_>) -> io::Result<()>;

    /// Visits the records of all these types; those of each type come in the order that [`records`](Self::records) gives
    /// them in, those of several in any.
    fn all_records(&mut self, types: &[SummaryType], visit: &mut TypesVisitor<'_>) -> io::Result<()> {
        types.iter().try_for_each(|summary_type| {
            self.records(summary_type, &mut |head, content| visit(summary_type, head, content))
        })
    }

    /// Visits what came, changed or went since the export that the dataset compares with, by participant's code, then
    /// type; nothing where it compares with none. Of an increment, the records that came or changed are those that
    /// [`records`](Self::records) gives.
    fn changes(&mut self, visit: &mut ChangeVisitor<'_>) -> io::Result<()> {
        let _none = visit;
        Ok(())
    }
}
