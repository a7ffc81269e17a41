//! What stands in a notification, before it has a body: pushes, pings and control items.

use crate::model::time::UnixSeconds;
use crate::simulate::file::FileOf;
use crate::simulate::random::Random;
use crate::simulate::record::Record;

/// One item of a notification.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// A summary, pushed.
    Push(Record),
    /// A ping for summaries.
    Window(Window),
    /// A ping for a file.
    File(FileOf),
    /// A user ended its registration.
    Deregistration(usize),
    /// These permissions hold from now on.
    Permissions {
        /// Whose.
        user: usize,
        /// All of them.
        granted: &'static [&'static str],
        /// Since when.
        changed: UnixSeconds,
    },
}

/// Summaries of one user and type that lie ready together.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Whose.
    pub user: usize,
    /// Their type.
    pub summary_type: String,
    /// The begin of their uploads; no two windows of a user and type share it.
    pub from: UnixSeconds,
    /// The end.
    pub to: UnixSeconds,
    /// The summaries.
    pub records: Vec<Record>,
}

/// One notification.
pub type Message = Vec<Part>;
/// Notifications that may be under way at once.
pub type Wave = Vec<Message>;

/// Notifications of up to `items_max` items each.
pub(super) fn mixed(parts: Vec<Part>, items_max: usize, random: &mut Random) -> Wave {
    let mut wave = Vec::new();
    let mut parts = parts.into_iter().peekable();
    while parts.peek().is_some() {
        let count = 1 + usize::try_from(random.below(items_max as u64)).unwrap_or(0);
        wave.push(parts.by_ref().take(count).collect());
    }
    wave
}

/// Puts them in any order.
pub(super) fn shuffle(parts: &mut [Part], random: &mut Random) {
    for last in (1..parts.len()).rev() {
        let other = usize::try_from(random.below(last as u64 + 1)).unwrap_or(last);
        parts.swap(last, other);
    }
}
