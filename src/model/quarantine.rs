//! Why an item waits for a person.

use serde::{Deserialize, Serialize};

/// Why an item is in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The item is no object.
    NotAnObject,
    /// The member of the notification is no array.
    NotAnArray,
    /// The item has no userId.
    Nobody,
    /// The callback URL of a ping leads elsewhere than to Garmin.
    RefusedCallback,
    /// A pulled file is not what it was announced as.
    UnexpectedFile,
    /// More pings wait than the gateway takes.
    TooManyPulls,
    /// The item's userId or a key field is twice there, too long, or of another type.
    Unreadable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::NotAnObject,
        Self::NotAnArray,
        Self::Nobody,
        Self::RefusedCallback,
        Self::UnexpectedFile,
        Self::TooManyPulls,
        Self::Unreadable,
    ];

    /// Its word in lists and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotAnObject => "not-an-object",
            Self::NotAnArray => "not-an-array",
            Self::Nobody => "nobody",
            Self::RefusedCallback => "refused-callback",
            Self::UnexpectedFile => "unexpected-file",
            Self::TooManyPulls => "too-many-pulls",
            Self::Unreadable => "unreadable",
        }
    }
}
