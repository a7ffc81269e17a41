//! What can be wrong with a body, and where.

use std::fmt;

/// The deepest nesting that is taken; the top object is depth 1.
pub const DEPTH_MAX: usize = 64;

/// Why a body is no notification, and at which byte of it (counted from 0, decoded).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub offset: u64,
    /// What.
    pub fault: Fault,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON.
    NotJson,
    /// Not UTF-8.
    NotUtf8,
    /// JSON, but not an object at the top.
    NotAnObject,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// The body ended early.
    Truncated,
    /// Something follows the end of the object.
    TrailingData,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = match self.fault {
            Fault::NotJson => "the body is not JSON",
            Fault::NotUtf8 => "the body is not UTF-8",
            Fault::NotAnObject => "the body is not a JSON object",
            Fault::TooDeep => "the body is nested deeper than 64 levels",
            Fault::Truncated => "the body ended early",
            Fault::TrailingData => "something follows the end of the JSON object",
        };
        write!(f, "{fault} (byte {})", self.offset)
    }
}

impl std::error::Error for SyntaxError {}
