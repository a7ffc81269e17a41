//! What the site of the tests is given: items of a notification, hosts of callbacks, a decision.

use crate::json::split::Splitter;
use crate::model::entry::Entry;
use crate::upstream::rules::Rules as Callbacks;
use crate::withdrawal::Leave;
use crate::withdrawal::course::{Haste, Word};
use crate::withdrawal::record::Cause;

/// A flood of deregistrations is held for so long, in seconds.
pub(super) const HOLD_FOR: i64 = 500;
/// A person lets participants leave, as the study's rules say.
pub(super) const BY_A_PERSON: Leave =
    Leave { word: Word { fate: None, haste: Haste::AfterTheGrace }, cause: Cause::Person };

/// Where callbacks may lead.
pub(super) fn callbacks() -> Callbacks {
    Callbacks::new(&["apis.example".to_owned()], false).expect("a list of hosts")
}

/// The items of a notification.
pub(super) fn entries(body: &str) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut |entry| entries.push(entry)).expect("JSON");
    splitter.finish().expect("whole JSON");
    entries
}
