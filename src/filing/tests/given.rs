//! What the site of the tests is given: items of a notification, hosts of callbacks.

use crate::json::split::Splitter;
use crate::model::entry::Entry;
use crate::upstream::rules::Rules as Callbacks;

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
