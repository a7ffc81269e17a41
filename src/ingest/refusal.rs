//! Why a body is not taken.

use std::fmt;

use crate::journal;
use crate::json::split::SyntaxError;

/// Why a body is not taken; nothing of it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is no notification, or not coded as announced: the sender's fault.
    Malformed(Malformed),
    /// It is longer than the limit, as sent or decoded.
    TooLarge,
    /// The disk is under its reserve.
    DiskLow,
    /// Too many large bodies are under way.
    Busy,
    /// The gateway is stopping.
    Stopping,
    /// A write or fsync failed: nothing is taken until a restart.
    StoreFailed,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// What is wrong with the JSON, by the decoded byte.
    Syntax(SyntaxError),
    /// The compressed stream is damaged at this byte, as sent.
    Damaged(u64),
    /// The compressed stream ended early, at this byte, as sent.
    CutShort(u64),
    /// Something follows the end of the compressed stream at this byte, as sent.
    TrailingData(u64),
    /// The answer to a ping is not what was asked for, at this byte of it.
    NotAnAnswer(u64),
}

impl From<journal::Error> for Refusal {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::DiskLow => Self::DiskLow,
            journal::Error::Closed => Self::Stopping,
            journal::Error::Failed(_) | journal::Error::Tampered(_) => Self::StoreFailed,
        }
    }
}

impl From<SyntaxError> for Refusal {
    fn from(error: SyntaxError) -> Self {
        Self::Malformed(Malformed::Syntax(error))
    }
}

impl Malformed {
    /// Where it is wrong, in bytes from 0: of the decoded body for JSON, of the body as sent for its coding.
    pub const fn offset(&self) -> u64 {
        match self {
            Self::Syntax(error) => error.offset,
            Self::Damaged(offset) | Self::CutShort(offset) | Self::TrailingData(offset) | Self::NotAnAnswer(offset) => {
                *offset
            }
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(error) => write!(f, "{error}"),
            Self::Damaged(offset) => write!(f, "the compressed body is damaged (byte {offset} as sent)"),
            Self::CutShort(offset) => write!(f, "the compressed body ended early (byte {offset} as sent)"),
            Self::NotAnAnswer(offset) => write!(f, "the answer is not one JSON array of its type (byte {offset})"),
            Self::TrailingData(offset) => {
                write!(f, "something follows the end of the compressed body (byte {offset} as sent)")
            }
        }
    }
}
