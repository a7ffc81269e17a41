//! What the rewriter asks, and what it answers.

use std::fmt;

/// What becomes of one member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stays, and its value is walked.
    Keep,
    /// Stays with all that its value holds: nothing below it is asked about.
    KeepWhole,
    /// Leaves the output and the digest.
    DropUndigested,
    /// Leaves the output; the digest counts it.
    Drop,
    /// Leaves the output for the diverted part; the digest counts it. Values over 64 KiB are cut off (dropped).
    Divert,
    /// A scalar value is handed to [`Rules::replace`], whose member stands in its place; the original is also
    /// diverted, and the digest counts the original. Null, a container and what is over 64 KiB are only diverted.
    Replace,
}

/// Which members stay. `path` holds the names of the enclosing objects, outermost first (array levels add nothing).
///
/// Asked once per member of an object that stays, in document order; never about what lies below a member that does
/// not stay. A member whose name is longer than 4 KiB is dropped, and digested, unasked.
pub trait Rules {
    /// What becomes of the member `name` of the object at `path`.
    fn action(&mut self, path: &[Box<str>], name: &str) -> Action;

    /// For [`Action::Replace`]: the member (name, JSON text of the value) that stands in place of this one, whose
    /// scalar value is given as decoded text; `None` leaves it out.
    fn replace(&mut self, path: &[Box<str>], name: &str, value: &str) -> Option<(String, String)>;
}

/// What is known when the object is over.
#[derive(Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// Diverted members as (path and name joined by dots, JSON text of the value, minified), in document order.
    pub diverted: Vec<(String, String)>,
    /// Members that were to be diverted and were dropped for their size: one over 64 KiB, or all over 256 KiB in
    /// memory.
    pub cut: u32,
    /// Keyed digest of the content.
    pub digest: [u8; 16],
}

/// Diverted members hold personal data: only their number is shown.
impl fmt::Debug for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewritten")
            .field("diverted", &self.diverted.len())
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

/// The bytes are not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are not one JSON object; read them again from where they are kept")
    }
}

impl std::error::Error for Malformed {}
