//! Why a command on studies, participants or links is not done: one sentence each, with what to do next.
//!
//! Never: a Garmin userId, or an internal cause that the caller can do nothing about.

use std::fmt;

use crate::crypto::keyring;
use crate::model::{participant::ParticipantState, time::UnixSeconds};
use crate::people::code::NAME_CHARS_MAX;
use crate::store::engine;

/// What sort of refusal it is: decides the status over HTTP and the exit code of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked is not well formed, or breaks a rule whatever the state.
    Invalid,
    /// The named thing does not exist.
    NotFound,
    /// The state of things forbids it.
    Conflict,
    /// The study is locked or closed.
    Locked,
    /// This version does not do it.
    NotBuilt,
    /// It may work later.
    Unavailable,
    /// The store or the keyring failed; a restart recovers.
    StoreFailed,
}

/// Why a command is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No study has this name.
    NoStudy(String),
    /// A study of this name (in any letter case) exists.
    StudyExists(String),
    /// The text is no name of a study.
    BadStudyName(String),
    /// The study takes no new participants and no changes of its rules.
    StudyLocked(String),
    /// The study takes nothing.
    StudyClosed(String),
    /// The study is not open, so it cannot be locked.
    NotOpen(String),
    /// No recipient was given.
    NoRecipient,
    /// More recipients than a study may have.
    TooManyRecipients,
    /// The recipient at this place, from 1, is no age X25519 recipient. (Not repeated: it may be a secret key.)
    BadRecipient(usize),
    /// The summary type is not known; the nearest known name, where one is near.
    UnknownType(String, Option<&'static str>),
    /// A value is out of its bounds; the sentence says which and what they are.
    OutOfBounds(&'static str),
    /// Two rules that no study may have together; the sentence says which.
    RulesDisagree(&'static str),
    /// Datasets of the study have left with dates as they are, or shifted; the others would tell every shift.
    DatesHandedOut(String),
    /// A rule or an option whose behaviour this version does not have.
    NotBuilt(&'static str),
    /// No participant of the study has this code; the code as it is written, where only letter case differs.
    NoParticipant(String, Option<String>),
    /// The code has the form of a made one, but its check character is wrong.
    MistypedCode(String),
    /// The text is no code.
    BadCode(String),
    /// The code (in any letter case) is in use in the study.
    CodeTaken(String),
    /// The code belonged to a participant who withdrew.
    CodeRetired(String),
    /// The participant has withdrawn.
    Withdrawn,
    /// The participant has left, and is locked until the purge at this time.
    Locked(UnixSeconds),
    /// The participant's state does not allow the step.
    WrongState(ParticipantState, &'static str),
    /// A window ends before it begins.
    EmptyWindow,
    /// A pause begins before the last one ended.
    PauseOverlaps(UnixSeconds),
    /// Both a userId and a handle were given.
    TwoConnections,
    /// Neither a userId nor a handle was given.
    NoConnection,
    /// The userId is empty or too long.
    BadUser,
    /// No held connection has this handle.
    NoHandle(String),
    /// At an overlapping time the connection is linked to this code of the same study.
    LinkedInStudy(String),
    /// At an overlapping time the connection is linked to this participant.
    LinkedAlready,
    /// The connection's user has left; it expires at this time.
    Tombstoned(UnixSeconds),
    /// The participant has no current link.
    NoLink,
    /// The participant has no link of this number.
    NoLinkNumber(usize),
    /// The participant has several current links.
    SeveralLinks,
    /// Another export of the study runs.
    ExportRunning,
    /// The study has no completed export of this number.
    NoExport(u32),
    /// Of the export of this number too little is kept to compare with it or make it again.
    ForgottenExport(u32),
    /// What was answered is not all filed yet.
    FilingBehind,
    /// No unused code or handle was found.
    Exhausted,
    /// What was asked elsewhere was refused; the sentence as given there.
    Other(Kind, String),
    /// The store failed.
    Store,
    /// The keyring failed.
    Keyring,
}

impl Refusal {
    /// There is no study of this name, or none that whoever asks may know of.
    pub fn no_study(name: &str) -> Self {
        Self::NoStudy(name.chars().take(NAME_CHARS_MAX).collect())
    }

    /// What sort it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::NoStudy(_)
            | Self::NoParticipant(..)
            | Self::MistypedCode(_)
            | Self::NoHandle(_)
            | Self::NoExport(_)
            | Self::NoLinkNumber(_) => Kind::NotFound,
            Self::BadStudyName(_)
            | Self::NoRecipient
            | Self::TooManyRecipients
            | Self::BadRecipient(_)
            | Self::UnknownType(..)
            | Self::OutOfBounds(_)
            | Self::RulesDisagree(_)
            | Self::BadCode(_)
            | Self::EmptyWindow
            | Self::TwoConnections
            | Self::NoConnection
            | Self::BadUser => Kind::Invalid,
            Self::StudyExists(_)
            | Self::NotOpen(_)
            | Self::CodeTaken(_)
            | Self::CodeRetired(_)
            | Self::Withdrawn
            | Self::Locked(_)
            | Self::WrongState(..)
            | Self::PauseOverlaps(_)
            | Self::LinkedInStudy(_)
            | Self::LinkedAlready
            | Self::Tombstoned(_)
            | Self::NoLink
            | Self::ForgottenExport(_)
            | Self::SeveralLinks
            | Self::DatesHandedOut(_) => Kind::Conflict,
            Self::StudyLocked(_) | Self::StudyClosed(_) => Kind::Locked,
            Self::NotBuilt(_) => Kind::NotBuilt,
            Self::ExportRunning | Self::FilingBehind | Self::Exhausted => Kind::Unavailable,
            Self::Store | Self::Keyring => Kind::StoreFailed,
            Self::Other(kind, _) => *kind,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStudy(name) => {
                write!(f, "There is no study \"{name}\"; `studygate study list` shows the studies.")
            }
            Self::StudyExists(name) => write!(f, "A study \"{name}\" exists already; choose another name."),
            Self::BadStudyName(name) => write!(
                f,
                "\"{name}\" is no study name; use 1 to 32 of A-Z a-z 0-9 . _ - with at least one letter or digit."
            ),
            Self::StudyLocked(name) => write!(
                f,
                "Study \"{name}\" is locked: it takes no participants and no changes of its rules; add another study."
            ),
            Self::StudyClosed(name) => {
                write!(f, "Study \"{name}\" is closed: it can be shown, exported and purged, and nothing else.")
            }
            Self::NotOpen(name) => write!(f, "Study \"{name}\" is not open; `studygate study show {name}` says more."),
            Self::NoRecipient => {
                f.write_str("A study needs at least one recipient; make one with `studygate dataset keygen`.")
            }
            Self::TooManyRecipients => f.write_str("A study takes at most 32 recipients; leave some out."),
            Self::BadRecipient(place) => write!(
                f,
                "Recipient {place} is no age X25519 recipient; it must be an `age1…` as `studygate dataset keygen` prints it."
            ),
            Self::UnknownType(name, Some(near)) => {
                write!(f, "\"{name}\" is no known summary type; did you mean \"{near}\"?")
            }
            Self::UnknownType(name, None) => {
                write!(f, "\"{name}\" is no known summary type; name types as notifications do, such as \"activities\".")
            }
            Self::OutOfBounds(sentence) | Self::RulesDisagree(sentence) => f.write_str(sentence),
            Self::DatesHandedOut(name) => write!(
                f,
                "Datasets of study \"{name}\" have been handed out, and together with others would tell how far dates are \
                 shifted; add another study for the other rule, in which participants have other pseudonyms."
            ),
            Self::NotBuilt(what) => write!(f, "This version does not do {what}; leave it out."),
            Self::NoParticipant(code, None) => write!(
                f,
                "The study has no participant \"{code}\"; `studygate participant list` shows the codes."
            ),
            Self::NoParticipant(code, Some(written)) => {
                write!(f, "The study has no participant \"{code}\"; the code is written \"{written}\".")
            }
            Self::MistypedCode(code) => write!(
                f,
                "The study has no participant \"{code}\", and its check character is wrong; look at the code again."
            ),
            Self::BadCode(code) => write!(
                f,
                "\"{code}\" is no code; use 1 to 32 of A-Z a-z 0-9 . _ - with at least one letter or digit."
            ),
            Self::CodeTaken(code) => write!(f, "The code \"{code}\" is in use in this study; choose another."),
            Self::CodeRetired(code) => write!(
                f,
                "The code \"{code}\" belonged to a participant who withdrew and is not given again; choose another."
            ),
            Self::Withdrawn => f.write_str("The participant has withdrawn; add a new participant with a new code."),
            Self::Locked(until) => write!(
                f,
                "The participant has left and is locked until the purge on {}; `studygate purges list` shows it, and \
                 `studygate purges reject` undoes it.",
                until.date()
            ),
            Self::WrongState(state, step) => write!(f, "The participant is {}, so {step}.", state_name(*state)),
            Self::EmptyWindow => f.write_str("The window ends before it begins; give a later end or an earlier beginning."),
            Self::PauseOverlaps(end) => {
                write!(f, "The participant was paused until {end}; give a time after that.")
            }
            Self::TwoConnections => f.write_str("Give either a Garmin user or the handle of a held connection, not both."),
            Self::NoConnection => f.write_str("Give a Garmin user or the handle of a held connection."),
            Self::BadUser => f.write_str("The Garmin user is empty or longer than 256 bytes; give the userId as Garmin does."),
            Self::NoHandle(handle) => write!(
                f,
                "No held connection has the handle \"{handle}\"; `studygate unassigned list` shows the handles."
            ),
            Self::LinkedInStudy(code) => write!(
                f,
                "At that time the connection is linked to participant \"{code}\" of this study; \
                 end that link first, or give times that do not overlap it."
            ),
            Self::LinkedAlready => f.write_str(
                "At that time the connection is linked to this participant already; give times that do not overlap.",
            ),
            Self::Tombstoned(expires) => write!(
                f,
                "The user of this connection has left; it cannot be linked before {}, or deliberately with \
                 --despite-withdrawal and a --reason.",
                expires.date()
            ),
            Self::NoLink => f.write_str("The participant has no current link, so there is none to end."),
            Self::NoLinkNumber(number) => write!(
                f,
                "The participant has no current link number {number}; `studygate participant show` numbers the links."
            ),
            Self::SeveralLinks => f.write_str(
                "The participant has several current links; give the number of one, as `studygate participant show` has it.",
            ),
            Self::FilingBehind => f.write_str("What was received is not all filed yet; try again in a minute."),
            Self::ExportRunning => f.write_str("An export of this study is running; try again when it is done."),
            Self::NoExport(number) => write!(
                f,
                "The study has no completed export {number}; `studygate exports list` shows those that there are."
            ),
            Self::ForgottenExport(number) => write!(
                f,
                "Export {number} was made by an earlier version, which kept too little of it; make a whole export instead."
            ),
            Self::Exhausted => f.write_str("No unused code was found; try again, or give a code."),
            Self::Other(_, sentence) => f.write_str(sentence),
            Self::Store => f.write_str("The store failed; the gateway recovers it when it is started again."),
            Self::Keyring => f.write_str("The keyring could not be written; see the gateway's log, then start it again."),
        }
    }
}

impl std::error::Error for Refusal {}

impl From<engine::Error> for Refusal {
    fn from(error: engine::Error) -> Self {
        tracing::error!(%error, "the directory of studies and participants could not be written; check the disk");
        Self::Store
    }
}

impl From<keyring::Error> for Refusal {
    fn from(error: keyring::Error) -> Self {
        tracing::error!(?error, "new keys could not be written; check the disk");
        Self::Keyring
    }
}

/// The state's name as users see it.
pub fn state_name(state: ParticipantState) -> &'static str {
    match state {
        ParticipantState::Active => "active",
        ParticipantState::Paused => "paused",
        ParticipantState::Completed => "completed",
        ParticipantState::Withdrawn => "withdrawn",
        ParticipantState::Retained => "retained",
    }
}
